"""The `outputs` of predictions, written column by column."""

from collections.abc import Iterable, Sequence
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray
from ounce_schemas.task import CLUSTER_POWER

from ounce_edge.wire.answers.explained import ExplainedGroup
from ounce_edge.wire.answers.significant import significant
from ounce_edge.wire.batch import OutputNames

_NEXT, _END = b",", b"]}"
"""What follows an output: another one, or the end of the document."""
_STEPS = 10_000
DISTANCES = (1 / 8, 8.0)
"""The least and the greatest that is told. Nearer, the probability of none would be so small that
some processors take it for 0: float32 is exact from 1.2e-38 on."""
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
        false_alarms: promised rate of an anomaly task.
        offset: what values and intervals of a regression are less than is to be written.
    """

    def __init__(
        self,
        labels: Iterable[str],
        false_alarms: float | None = None,
        offset: float | None = None,
    ) -> None:
        self._rate = false_alarms
        self._offset = offset or 0.0
        self._datatype = b"FP64" if offset else b"FP32"
        self._labels = _table(
            b'{"name":"label","shape":[1],"datatype":"BYTES","data":[%b]}' % _json(label)
            for label in labels
        )

    def columns(
        self,
        result: NDArray[np.float32],
        predicted: NDArray[Any],
        wanted: Sequence[OutputNames],
        explained: ExplainedGroup | None = None,
    ) -> Sequence[Sequence[bytes]]:
        """The parts of the `outputs` list and all that follows, one column of parts per output.

        Args:
            result: the model's output; shape (n, output size).
            predicted: what it says: label indices, or values; shape (n,).
            wanted: outputs that each answer holds.
            explained: what each input contributed.
        """
        if explained is not None:
            return [*self._columns(result, predicted, wanted, _NEXT), self._explained(explained)]
        return self._columns(result, predicted, wanted, _END)

    def _columns(
        self,
        result: NDArray[np.float32],
        predicted: NDArray[Any],
        wanted: Sequence[OutputNames],
        end: bytes,
    ) -> Sequence[Sequence[bytes]]:
        if wanted.count(wanted[0]) == len(wanted):
            *others, last = wanted[0]
            return [
                *(self._output(name, result, predicted, _NEXT) for name in others),
                self._output(last, result, predicted, end),
            ]
        names = {name for group in set(wanted) for name in group}
        parts = {name: self._output(name, result, predicted, b"") for name in names}
        return [
            [_NEXT.join([parts[n][i] for n in group]) for i, group in enumerate(wanted)],
            [end] * len(wanted),
        ]

    def _explained(self, explained: ExplainedGroup) -> list[bytes]:
        """The outputs of an explanation, and the end of the document."""
        numbers = b'{"name":"explained_base","shape":[1],"datatype":"%b","data":[%b]},' + (
            b'{"name":"contributions","shape":[1,%d],"datatype":"FP32","data":%b},'
        )
        inputs = b'{"name":"explained_inputs","shape":[1,%d],"datatype":"BYTES","data":%b}]}'
        bases = (explained.base.astype(np.float64) + self._offset).tolist()
        return [
            numbers % (self._datatype, _json(base), len(names), _json(row))
            + inputs % (len(names), _json(names))
            for base, (names, row) in zip(bases, explained.rows(), strict=True)
        ]

    def _numbers(self, name: str, result: NDArray[np.float32]) -> NDArray[np.floating[Any]]:
        """The values of an output of numbers, shape (n, width)."""
        if name in ("p_value", "score"):
            assert self._rate is not None  # the parser lets no other task ask for them
            p = p_values(result, self._rate)[:, None]
            return p if name == "p_value" else -np.log10(p)
        if name == "distance":
            return distances(result)[:, None]
        return {"probabilities": result, "value": result[:, :1], "interval": result[:, 1:]}[name]

    def _output(
        self, name: str, result: NDArray[np.float32], predicted: NDArray[Any], then: bytes
    ) -> list[bytes]:
        if name == "label":
            return cast("list[bytes]", self._labels[then][predicted].tolist())
        if name == "confidence":
            greatest = result[np.arange(len(result)), predicted]  # max() takes longer
            steps = np.minimum(np.maximum(np.rint(greatest * _STEPS), 0), _STEPS).astype(np.intp)
            return cast("list[bytes]", _CONFIDENCE[then][steps].tolist())
        columns = self._numbers(name, result)
        width = columns.shape[1]
        start = b'{"name":"%b","shape":[%b],"datatype":"%b","data":' % (
            name.encode(),
            b"1" if width == 1 else b"1,%d" % width,
            self._datatype,
        )
        rows = significant(columns, self._offset).tolist()
        return [b"%b%b}%b" % (start, _json(row), then) for row in rows]


def p_values(probabilities: NDArray[np.float32], rate: float) -> NDArray[np.float64]:
    """Of items of an anomaly task: the odds of `anomaly` are the promised rate over the p-value.

    Args:
        probabilities: of normal and anomaly, shape (n, 2).
        rate: of false alarms.

    Returns:
        Array of shape (n,), in [1e-30, 1].
    """
    normal, strange = probabilities.astype(np.float64).T
    return np.asarray(np.clip(rate * normal / np.maximum(strange, 1e-30), 1e-30, 1.0))


def distances(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of items of a task of clusters: how far they are from the nearest one; at 1 it ends.

    Args:
        probabilities: of the clusters and of none, shape (n, n_clusters + 1).

    Returns:
        Array of shape (n,), in [1/8, 8]; what is nearer or farther has the nearest of these.
    """
    exact = probabilities.astype(np.float64)
    nearest, none = exact[:, :-1].max(axis=1), exact[:, -1]
    with np.errstate(divide="ignore"):
        odds = np.log(none) - np.log(nearest)
    return np.asarray(np.clip(np.exp(odds / CLUSTER_POWER), *DISTANCES))
