"""Inventory and bundles to desired state. Pure: the same input gives the same bytes."""
