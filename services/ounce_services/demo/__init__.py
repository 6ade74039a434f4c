"""The whole path at work: ladders, broker, worker and devices, with a live view."""
