"""The HTTP interface, under versioned paths."""
