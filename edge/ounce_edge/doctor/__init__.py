"""Checks, before or beside a worker, of all that it needs."""
