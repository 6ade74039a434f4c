"""A simulated fleet of devices: publishes real inputs and checks the answers against the truth."""
