"""What can be set of a worker, and of a gateway."""
