"""A few items of every kind that models learn from, made by chance, with an answer to find."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_exporters.ladder.recipe import Split, TaskData
from ounce_schemas.cells import Cell as ReadCell
from ounce_schemas.task import ANOMALY, NO_CLUSTER, NORMAL, TaskSpec, TensorSpec

N_ITEMS = 200


def _task(tensors: dict[str, tuple[dict[str, Any], NDArray[Any]]], **how: Any) -> TaskData:
    """The first half of the items trains, a quarter validates."""
    classes: NDArray[Any] = np.arange(N_ITEMS) % 2
    how = {"kind": "classification", "labels": ("no", "yes"), "targets": classes} | how
    targets = how.pop("targets")
    specs = tuple(TensorSpec(name=name, **spec) for name, (spec, _) in tensors.items())
    spec = TaskSpec(name="made", description="", inputs=specs, **how)

    def split(first: int, last: int) -> Split:
        chosen = slice(first, last)
        return Split({name: a[chosen] for name, (_, a) in tensors.items()}, targets[chosen])

    half, most = N_ITEMS // 2, 3 * N_ITEMS // 4
    splits = split(0, half), split(half, most), split(most, N_ITEMS)
    return TaskData(spec, "made items", *splits, "0" * 64)


def _numbers(*, gaps: bool = False) -> tuple[dict[str, Any], NDArray[Any]]:
    rows = np.random.default_rng(0).normal(size=(N_ITEMS, 3)).astype(np.float32)
    rows[1::2, 0] += 2
    if gaps:
        rows[::5, 1] = np.nan
    columns = ("width", "height", "weight")
    cells = tuple(ReadCell(column=name, read="number") for name in columns)
    spec = {"datatype": "FP32", "shape": (3,), "columns": columns, "cells": cells}
    return spec | {"allow_missing": gaps}, rows


def _categories() -> tuple[dict[str, Any], NDArray[Any]]:
    texts = np.random.default_rng(1).choice(["red", "green"], size=(N_ITEMS, 1)).astype(object)
    cell = ReadCell(column="colour", read="text", texts=("green", "red"))
    return {"datatype": "BYTES", "shape": (1,), "columns": ("colour",), "cells": (cell,)}, texts


def _sentences() -> tuple[dict[str, Any], NDArray[Any]]:
    texts = [["win a prize" if i % 2 else "see you at lunch"] for i in range(N_ITEMS)]
    return {"datatype": "BYTES", "shape": (1,), "text_bytes": 32}, np.array(texts, object)


def _images() -> tuple[dict[str, Any], NDArray[Any]]:
    images = np.random.default_rng(0).integers(0, 60, (N_ITEMS, 16, 16, 3), dtype=np.uint8)
    images[1::2, :4, 4:8] += 150
    return {"datatype": "UINT8", "shape": (16, 16, 3)}, images


def _series(*, gaps: bool = False) -> tuple[dict[str, Any], NDArray[Any]]:
    rows = np.random.default_rng(0).normal(size=(N_ITEMS, 32, 2)).astype(np.float32)
    rows[1::2, 4:6] += 4
    if gaps:
        rows[::5, :6] = np.nan
    return {
        "datatype": "FP32", "shape": (32, 2), "channels": ("u", "v"), "allow_missing": gaps
    }, rows  # fmt: skip


def _quantity() -> dict[str, Any]:
    values = np.random.default_rng(2).normal(size=N_ITEMS) + np.arange(N_ITEMS) % 2
    of = {"kind": "regression", "labels": (), "tolerance": 0.5, "interval_coverage": 0.9}
    return of | {"targets": values.astype(np.float32)}


_STRANGE: dict[str, Any] = {"kind": "anomaly", "labels": (NORMAL, ANOMALY), "false_alarms": 0.1}
_CLUSTERS: dict[str, Any] = {"kind": "clusters", "labels": ("1", "2", NO_CLUSTER)}
_THREE: dict[str, Any] = {"labels": ("a", "b", "c"), "targets": np.arange(N_ITEMS) % 3}

KINDS: dict[str, Callable[[], TaskData]] = {
    "numbers, classes": lambda: _task({"input": _numbers(gaps=True)}),
    "numbers, quantity": lambda: _task({"input": _numbers()}, **_quantity()),
    "numbers and categories, classes": lambda: _task(
        {"input": _numbers(), "categories": _categories()}
    ),
    "numbers, anomalies": lambda: _task({"input": _numbers()}, **_STRANGE),
    "numbers, clusters": lambda: _task({"input": _numbers()}, **_CLUSTERS),
    "sentences, classes": lambda: _task({"text": _sentences()}, **_THREE),
    "sentences and numbers, classes": lambda: _task({"text": _sentences(), "input": _numbers()}),
    "images, classes": lambda: _task({"image": _images()}),
    "images, quantity": lambda: _task({"image": _images()}, **_quantity()),
    "images, anomalies": lambda: _task({"image": _images()}, **_STRANGE),
    "sequences, classes": lambda: _task({"series": _series()}),
    "sequences with gaps, quantity": lambda: _task({"series": _series(gaps=True)}, **_quantity()),
    "sequences, anomalies": lambda: _task({"series": _series()}, **_STRANGE),
}
"""Items by what they are and what is asked of them."""
