"""PyTorch's exporter gathers its 500 operators anew for each graph: most of the work of a small
one. The tests gather them once."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import pytest
from torch.onnx._internal.exporter._registration import ONNXRegistry

_ONCE = staticmethod(cache(ONNXRegistry.from_torchlib))


@contextmanager
def gathered_once() -> Iterator[None]:
    """Exports of all such blocks share what the first one gathered, which none of them changes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ONNXRegistry, "from_torchlib", _ONCE)
        yield
