"""SMS spam: accuracy and area under the ROC curve, near-duplicates on one side; and time."""

import re
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.crossfit import select
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupShuffleSplit

from benchmarks.results import Cell, Table

BATCH = 128
_SAME_LETTERS = 40
_MODELS = ("hashed-linear", "hashed-mlp")
_ROUNDS = 30


def measure_spam(folder: Path, seeds: int) -> Table:
    """One row a model: mean and spread over seeds, a quarter of the messages to test.

    Args:
        folder: holds `sms-spam/SMSSpamCollection`, lines of label, tab and message.
        seeds: splits, each trained anew.
    """
    lines = (folder / "sms-spam" / "SMSSpamCollection").read_text(encoding="utf-8").splitlines()
    rows = pd.DataFrame([line.split("\t", 1) for line in lines[1:]], columns=["label", "message"])
    # Messages that differ in digits, case, marks or their ends alone are near-duplicates.
    letters = [re.sub(r"[^a-z]+", "", text.lower())[:_SAME_LETTERS] for text in rows["message"]]
    alike = np.unique(letters, return_inverse=True)[1]
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "spam.csv"
        rows.to_csv(path, index=False)
        whole = load(path, "label", "spam", TableOptions(), 0, lambda line: None)
        tensor = whole.spec.inputs[0]
        inputs = {tensor.name: _as_read(rows["message"])}
        targets = (rows["label"] == "spam").to_numpy(np.int64)
        everything = replace(whole.train, inputs=inputs, targets=targets)
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in _MODELS}
        for seed in range(seeds):
            split = GroupShuffleSplit(1, test_size=0.25, random_state=seed)
            _, test = next(split.split(targets, targets, alike))
            held_out = np.isin(np.arange(len(targets)), test)
            data = replace(whole, train=select(everything, ~held_out), folds=None)
            asked = select(everything, held_out)
            for recipe in recipes(data):
                if recipe.name not in _MODELS:
                    continue
                model = recipe.fit(data, seed, lambda share: None)
                logits = model.predict(asked.inputs)
                margin = logits[:, 1] - logits[:, 0]
                right = float(((margin > 0) == asked.targets).mean())
                area = float(roc_auc_score(asked.targets, margin))
                content = model.to_onnx().SerializeToString()
                found[recipe.name].append((right, area, _microseconds(content, asked.inputs)))
    table: list[list[Cell]] = []
    for name, of_seeds in found.items():
        accuracy, area, micros = np.array(of_seeds).T
        spread = f"{100 * accuracy.mean():.2f}% ± {100 * accuracy.std():.2f}"
        table.append([name, spread, f"{area.mean():.4f}", f"{np.median(micros):.1f}"])
    columns = ["model", "accuracy", "ROC-AUC", f"µs a message, calls of {BATCH}"]
    note = f"{len(rows):,} messages, {seeds} splits; to reach: 98.7%, 0.995 and 10 µs."
    return Table(columns, table, note)


def _as_read(texts: pd.Series) -> np.ndarray[tuple[int, ...], np.dtype[np.object_]]:
    return np.array([text.strip() for text in texts], dtype=object)[:, None]


def _microseconds(content: bytes, inputs: object) -> float:
    """Median time of an item through the edge's own runtime, texts to bytes included."""
    model = OnnxCpuRuntime(threads=1).load(Path("model.onnx"), content)
    assert isinstance(inputs, dict)
    part = {name: array[:BATCH] for name, array in inputs.items()}
    times = []
    for _ in range(_ROUNDS):
        start_s = time.perf_counter()
        model.run(part)
        times.append(time.perf_counter() - start_s)
    return float(np.median(times)) * 1e6 / BATCH
