"""Figures of the kinds of task: texts, images, sequences, anomalies, explanations."""
