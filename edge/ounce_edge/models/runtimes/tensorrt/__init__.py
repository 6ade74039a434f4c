"""NVIDIA TensorRT: engines that are built from ONNX files, and run on a GPU.

`libraries` finds TensorRT, `device` the GPU, `building` makes an engine of a model.
"""
