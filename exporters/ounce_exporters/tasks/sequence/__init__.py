"""Sequences as a person's own data: windows of a long table, or the series of a .ts file."""
