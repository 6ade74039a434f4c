"""The task `digits`: handwritten digits, 8 by 8 pixels, from scikit-learn's bundled data."""
