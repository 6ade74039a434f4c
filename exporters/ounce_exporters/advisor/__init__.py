"""`ounce advise`: which models to build of a table, under which limits, and why."""
