"""Changing hosts: what is sent to one, the conversation with it, and who waits for whom."""
