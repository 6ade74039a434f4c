"""A few numbers that tell what a text is about, and those of the columns beside it."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from ounce_schemas.task import TensorSpec
from sklearn.decomposition import TruncatedSVD

from ounce_exporters.export.dense import build
from ounce_exporters.export.graphs import declare, side_by_side
from ounce_exporters.ladder.recipe import Inputs, TaskData
from ounce_exporters.tasks.table.preprocessing import preprocessing
from ounce_exporters.training.byte_ngrams import (
    N_FEATURES,
    SIZES,
    encode,
    hash_ngrams,
    hashing_nodes,
    rest_of,
    root_lengths,
    text_tensor,
)
from ounce_exporters.training.classical import as_matrix, convert
from ounce_exporters.training.hashed_linear import weigh_ngrams

_TOPICS = 16
_MOST_NGRAMS = 8_192
"""That are known: those of most weight."""
_ROWS = 512
_LEAST_LENGTH = 1e-6
_OUTPUT = "told"


class TextFeatures:
    """Latent semantic analysis of hashed n-grams (S. Deerwester et al., "Indexing by Latent
    Semantic Analysis", JASIS 41, 1990). Implements `Extractor`.

    Args:
        data: its training rows teach.
        strange: whether a text that is unlike others is to stand out: its length and the share of
            its n-grams that are known are features, too. Otherwise only what it is about counts:
            all texts have one length.
    """

    def __init__(self, data: TaskData, *, strange: bool) -> None:
        self._task, self._strange = data.spec, strange
        rest = rest_of(data.spec)
        self._columns: Any = None
        if rest.inputs:
            self._columns = preprocessing(rest, mark_gaps=strange)
            self._columns.fit(as_matrix(rest, data.train.inputs), data.train.targets)
        counts, weights, used = weigh_ngrams(encode(data.spec, data.train.inputs))
        energy = np.asarray(counts.multiply(counts).sum(axis=0)).ravel()
        kept = np.sort(np.argsort(-energy, kind="stable")[:_MOST_NGRAMS])
        n_topics = max(1, min(_TOPICS, len(kept) - 1, counts.shape[0] - 1))
        found = TruncatedSVD(n_topics, random_state=0).fit(counts[:, kept])
        self._places = np.zeros(N_FEATURES, np.int32)
        self._places[used[kept]] = np.arange(1, len(kept) + 1)
        topics = found.components_.T * weights[kept][:, None]
        known = np.ones((len(kept), 1)) / len(SIZES)
        table = np.hstack([topics, known]) if strange else topics
        self._table = np.pad(table, ((1, 0), (0, 0))).astype(np.float32)

    @property
    def parameters(self) -> int:
        """Weights of n-grams."""
        return int(self._table.size)

    def features(self, inputs: Inputs) -> NDArray[np.float32]:
        """Array of shape (n_items, n_features)."""
        encoded = encode(self._task, inputs)
        parts = [
            self._of_text(encoded[start : start + _ROWS]) for start in range(0, len(encoded), _ROWS)
        ]
        found = np.concatenate(parts)
        if self._columns is None:
            return found
        beside = self._columns.transform(as_matrix(rest_of(self._task), inputs))
        return np.hstack([found, np.asarray(beside, np.float32)])

    def graph(self, between: TensorSpec) -> onnx.ModelProto:
        """From the task's inputs to the features.

        Raises:
            ExportError: the other columns' preprocessing can't be converted.
        """
        graph = self._text_graph()
        if self._columns is None:
            return graph
        beside = convert(self._columns, rest_of(self._task))
        return side_by_side(graph, beside, _OUTPUT, "Concat", axis=1)

    def _of_text(self, encoded: NDArray[np.uint8]) -> NDArray[np.float32]:
        sums = self._table[self._places[hash_ngrams(encoded)]].sum(axis=1)
        roots = root_lengths(encoded)
        if self._strange:
            n_bytes = np.maximum(np.count_nonzero(encoded, axis=1)[:, None], 1).astype(np.float32)
            return np.hstack([sums[:, :-1] / roots, sums[:, -1:] / n_bytes, np.log(roots)])
        lengths = np.sqrt(np.square(sums).sum(axis=1, keepdims=True))
        n_topics = np.float32(np.sqrt(sums.shape[1]))
        return np.asarray(sums / np.maximum(lengths, np.float32(_LEAST_LENGTH)) * n_topics)

    def _text_graph(self) -> onnx.ModelProto:
        tensor = text_tensor(self._task)
        nodes, constants = hashing_nodes(tensor)
        n_columns = self._table.shape[1]
        constants |= {"places": self._places, "table": self._table}
        nodes += [
            helper.make_node("Gather", ["places", "features"], ["found"]),
            helper.make_node("Gather", ["table", "found"], ["weights"]),
            helper.make_node("ReduceSum", ["weights", "axis"], ["sums"], keepdims=0),
        ]
        if self._strange:
            constants["sizes"] = np.array([n_columns - 1, 1], np.int64)
            nodes += [
                helper.make_node("Split", ["sums", "sizes"], ["of_topics", "of_known"], axis=1),
                helper.make_node("Div", ["of_topics", "lengths"], ["topics"]),
                helper.make_node("Div", ["of_known", "n_least"], ["known"]),
                helper.make_node("Log", ["lengths"], ["size"]),
                helper.make_node("Concat", ["topics", "known", "size"], [_OUTPUT], axis=1),
            ]
            n_columns += 1
        else:
            constants |= {
                "least_length": np.array(_LEAST_LENGTH, np.float32),
                "common": np.array(np.sqrt(n_columns), np.float32),
            }
            nodes += [
                helper.make_node("ReduceL2", ["sums", "axis"], ["length"], keepdims=1),
                helper.make_node("Max", ["length", "least_length"], ["divisor"]),
                helper.make_node("Div", ["sums", "divisor"], ["directions"]),
                helper.make_node("Mul", ["directions", "common"], [_OUTPUT]),
            ]
        output = _OUTPUT, n_columns
        return build("text-features", nodes, [declare(tensor)], output, constants)
