"""A person's own model joins a ladder: an ONNX file, a scikit-learn pipeline or a torch module."""
