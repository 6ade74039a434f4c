"""Whether what is on trial does worse than what it is to replace."""
