"""What is believed of plans: latency, accuracy, and whether a model is in order."""
