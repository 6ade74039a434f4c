"""What services see of running workers: their pages alone."""
