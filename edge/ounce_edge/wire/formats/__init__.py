"""What devices, gateways and connectors send, one file a format; `recognition` tells which it is.

Raw tensors and plain Open Inference Protocol bodies have a fast path: `requests.alike`.
"""
