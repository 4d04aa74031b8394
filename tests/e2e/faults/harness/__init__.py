"""Breaking hosts, connections and controllers on purpose, and looking at what is left of them."""
