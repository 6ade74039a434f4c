"""Figures of the kinds of task: texts, anomalies, and the isolation forest's graph."""
