"""What models are trained for: data, splits, and the recipes of each task."""
