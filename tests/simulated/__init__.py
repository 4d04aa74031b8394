"""A host that carries operations out in memory, and shows itself as Docker would."""
