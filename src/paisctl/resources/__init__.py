"""One file per kind of thing that is managed on a host."""
