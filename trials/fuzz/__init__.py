"""Generated bad messages against the decoder; apart from the quick tests: `make fuzz`."""
