"""The `outputs` of predictions, written column by column."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from ounce_edge.wire.batch import OutputNames

_NEXT, _END = b",", b"]}"
"""What follows an output: another one, or the end of the document."""
_STEPS = 10_000
_json = msgspec.json.Encoder().encode


def _table(outputs: Iterable[bytes]) -> dict[bytes, NDArray[np.object_]]:
    """By what follows: outputs as they are written, to be looked up by the array."""
    texts = list(outputs)
    return {
        then: np.array([text + then for text in texts], dtype=object) for then in (b"", _NEXT, _END)
    }


_CONFIDENCE = _table(
    b'{"name":"confidence","shape":[1],"datatype":"FP32","data":[%g]}' % (i / _STEPS)
    for i in range(_STEPS + 1)
)
"""To four digits: more is noise, and formatting a number costs more than all the rest."""


class OutputEncoder:
    """Writes the outputs of one task.

    Args:
        labels: of the task; none where it is a regression.
    """

    def __init__(self, labels: Iterable[str]) -> None:
        self._labels = _table(
            b'{"name":"label","shape":[1],"datatype":"BYTES","data":[%b]}' % _json(label)
            for label in labels
        )

    def columns(
        self, result: NDArray[np.float32], predicted: NDArray[Any], wanted: Sequence[OutputNames]
    ) -> Sequence[Sequence[bytes]]:
        """The parts of the `outputs` list and all that follows, one column of parts per output.

        Args:
            result: the model's output; shape (n, output size).
            predicted: what it says: label indices, or values; shape (n,).
            wanted: outputs that each answer holds.
        """
        if wanted.count(wanted[0]) == len(wanted):
            *others, last = wanted[0]
            return [
                *(self._output(name, result, predicted, _NEXT) for name in others),
                self._output(last, result, predicted, _END),
            ]
        names = {name for group in set(wanted) for name in group}
        parts = {name: self._output(name, result, predicted, b"") for name in names}
        return [
            [_NEXT.join([parts[n][i] for n in group]) for i, group in enumerate(wanted)],
            [_END] * len(wanted),
        ]

    def _output(
        self, name: str, result: NDArray[np.float32], predicted: NDArray[Any], then: bytes
    ) -> list[bytes]:
        if name == "label":
            return cast("list[bytes]", self._labels[then][predicted].tolist())
        if name == "confidence":
            greatest = result[np.arange(len(result)), predicted]  # max() takes longer
            steps = np.minimum(np.maximum(np.rint(greatest * _STEPS), 0), _STEPS).astype(np.intp)
            return cast("list[bytes]", _CONFIDENCE[then][steps].tolist())
        columns = {"probabilities": result, "value": result[:, :1], "interval": result[:, 1:]}[name]
        width = columns.shape[1]
        start = b'{"name":"%b","shape":[%b],"datatype":"FP32","data":' % (
            name.encode(),
            b"1" if width == 1 else b"1,%d" % width,
        )
        return [b"%b%b}%b" % (start, _json(row), then) for row in _significant(columns).tolist()]


def _significant(array: NDArray[np.float32]) -> NDArray[np.float64]:
    """Six significant digits of the largest value of each row: more is noise, and costs bytes."""
    magnitude = np.abs(array).max(axis=1, initial=1e-30)
    digits = 5 - np.floor(np.log10(magnitude)).astype(int)
    scale = 10.0 ** digits[:, None].astype(np.float64)
    return np.asarray(np.round(array * scale) / scale)
