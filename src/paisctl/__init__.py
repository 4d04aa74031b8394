"""paisctl: one inventory, many machines, no Kubernetes."""

__version__ = "0.1.0"
