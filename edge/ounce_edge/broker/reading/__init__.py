"""Consuming: where it begins, where it stands, and noticing that it stands still."""
