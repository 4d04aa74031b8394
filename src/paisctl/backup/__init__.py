"""Backups: copied from the devices to a store, verified there, kept so long, and brought back."""
