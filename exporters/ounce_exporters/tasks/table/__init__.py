"""A user's own table: read, its columns understood, split, and a ladder for it."""
