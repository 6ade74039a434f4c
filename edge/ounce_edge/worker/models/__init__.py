"""Models while a worker serves: where they come from, and how others take their place."""
