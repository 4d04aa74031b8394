"""Splicing YAML text: where things stand in it, what is put there, and what is cut out."""
