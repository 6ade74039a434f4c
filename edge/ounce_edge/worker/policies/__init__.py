"""Policies while a worker serves: put in force, kept for the next start, tried on some requests."""
