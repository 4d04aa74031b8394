"""Knows how."""
