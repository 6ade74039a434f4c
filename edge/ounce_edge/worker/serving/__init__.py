"""Serving: from a poll's records to answers and offsets, at least once or exactly once."""
