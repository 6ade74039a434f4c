"""From answers to the bodies and headers of predictions."""
