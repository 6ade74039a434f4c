"""Times of two graphs, in turn, so that what else the machine does meets both."""

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

ROUNDS = 30
LEAST_S = 0.002
"""Of one measurement: a single call of a light model is shorter than a clock can tell well."""

Feed = Mapping[str, NDArray[Any]]


def compare(first: bytes, feed: Feed, second: bytes, other: Feed, rows: int) -> tuple[float, float]:
    """Median microseconds a row of two graphs, one thread each, in calls of `rows` rows.

    Args:
        first: a serialized ONNX graph.
        feed: its inputs, at least `rows` rows of each.
        second: the other graph.
        other: its inputs.
        rows: of one call.
    """
    sides = [_Side(first, feed, rows), _Side(second, other, rows)]
    times = np.array([[side.time_us() for side in sides] for _ in range(ROUNDS)])
    ours, theirs = np.median(times, axis=0)
    return float(ours), float(theirs)


class _Side:
    def __init__(self, content: bytes, feed: Feed, rows: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = onnxruntime.InferenceSession(
            content, options, providers=["CPUExecutionProvider"]
        )
        self._feed = {name: np.ascontiguousarray(array[:rows]) for name, array in feed.items()}
        self._rows = len(next(iter(self._feed.values())))
        self._calls = 1
        self.time_us()  # the first call prepares
        once_s = self.time_us() * self._rows / 1e6
        self._calls = max(1, round(LEAST_S / once_s))

    def time_us(self) -> float:
        """Microseconds a row."""
        start = time.perf_counter()
        for _ in range(self._calls):
            self._session.run(None, self._feed)
        return (time.perf_counter() - start) / self._calls / self._rows * 1e6
