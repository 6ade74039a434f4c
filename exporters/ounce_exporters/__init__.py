"""Trains ladders of models, exports them to ONNX, and measures what their cards promise."""
