"""Plans, reports and diagnostics for people and for programs. Only views import rich."""
