"""Around the edge: topics, simulated devices, the demo."""
