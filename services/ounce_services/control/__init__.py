"""`ounce control`: policies, models, workers and dead letters over HTTP, and a console."""
