"""The decision: which plan answers which messages, and why."""
