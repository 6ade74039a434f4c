"""When: what runs first and for how long, and how much is read."""
