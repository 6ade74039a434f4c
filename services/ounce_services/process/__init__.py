"""Processes: ending in order, children that are never left behind, waiting until one is ready."""
