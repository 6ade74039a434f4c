"""`ounce models`: publishing models to a store, and saying which of them serve."""
