"""`ounce advise`: which models to build of data, under which limits, and why."""
