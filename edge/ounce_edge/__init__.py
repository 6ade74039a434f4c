"""What runs next to the devices: choose the lightest sufficient model, run it, report."""
