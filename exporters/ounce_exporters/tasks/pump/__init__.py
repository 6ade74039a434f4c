"""The task `pump`: which readings of a simulated pump are strange."""
