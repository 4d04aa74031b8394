"""Stateful stacks: their members on several devices, and the drivers that know them."""
