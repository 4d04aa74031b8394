"""The control planes of a tailnet, and changing its access policy without locking oneself out."""
