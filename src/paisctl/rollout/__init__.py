"""Changing the members of a stateful stack one after the other, watched by what it knows of itself."""
