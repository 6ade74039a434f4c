"""A task's models: verified, measured, and run."""
