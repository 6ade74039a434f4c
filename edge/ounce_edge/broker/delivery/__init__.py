"""Publishing answers and committing offsets: at least once, or exactly once."""
