"""Generated tables, their models, and hostile rows: ONNX against the native model."""
