"""Dead letters for people: what they are, why, and sending them back once mended."""
