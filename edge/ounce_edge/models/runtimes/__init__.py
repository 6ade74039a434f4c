"""Runtimes that run one ONNX file: one module each, all behind `base.LoadedModel`."""
