"""What a ladder is made of, and building it."""
