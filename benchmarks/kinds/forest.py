"""The isolation forest's graph against skl2onnx's: the same answers, and time in turn."""

import time

import numpy as np
import onnxruntime as ort
from ounce_exporters.export.tree_reading import read_ensemble
from ounce_exporters.export.trees import emit
from skl2onnx import convert_sklearn
from skl2onnx.common.data_types import FloatTensorType
from sklearn.ensemble import IsolationForest

from benchmarks.results import Cell, Table

_FEATURES = 9
_ROUNDS = 40


def measure_forest() -> Table:
    """Microseconds an item by the size of calls, and the largest difference from scikit-learn."""
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(20_000, _FEATURES)).astype(np.float32)
    forest = IsolationForest(n_estimators=100, random_state=0).fit(rows)
    ours = ort.InferenceSession(emit(read_ensemble(forest)).SerializeToString(), _one_thread())
    converted = convert_sklearn(
        forest,
        initial_types=[("features", FloatTensorType([None, _FEATURES]))],
        target_opset={"": 18, "ai.onnx.ml": 3},
    )
    theirs = ort.InferenceSession(converted.SerializeToString(), _one_thread())
    (found,) = ours.run(None, {"features": rows})
    difference = float(np.abs(found[:, 0] + forest.score_samples(rows)).max())
    table: list[list[Cell]] = []
    for size in (1, 32, 256):
        times: list[list[float]] = [[], []]
        for _ in range(_ROUNDS):
            for session, of_one in zip((ours, theirs), times, strict=True):
                start_s = time.perf_counter()
                session.run(None, {"features": rows[:size]})
                of_one.append((time.perf_counter() - start_s) * 1e6 / size)
        mine, other = (float(np.median(of_one)) for of_one in times)
        table.append([size, f"{mine:.1f}", f"{other:.1f}", f"{other / mine:.1f}"])
    columns = ["rows in a call", "µs a row", "skl2onnx, µs a row", "times faster"]
    note = f"Largest difference from scikit-learn: {difference:.1e}. To reach: 1e-5, 10 times."
    return Table(columns, table, note)


def _one_thread() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return options
