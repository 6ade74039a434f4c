"""Explanations: graphs that answer as a model does, and say what each input added to the score."""
