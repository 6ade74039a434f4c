"""`ounce topics`: creates the topics of tasks."""
