"""The access policy of the tailnet, derived from the inventory and the service graph."""
