"""A small ladder of a table, and models of it that are made without this project."""

from pathlib import Path

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper


def rooms(n: int = 240, seed: int = 0) -> pd.DataFrame:
    """A table whose target follows from its columns, but for some noise."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "warm": rng.normal(20, 4, n).round(2),
            "wet": rng.normal(50, 10, n).round(2),
            "site": rng.choice(["north", "south", "west"], n),
        }
    )
    score = table["warm"] - 20 + 3 * (table["site"] == "north") + rng.normal(0, 1, n)
    table["busy"] = np.select([score > 2, score < -2], ["yes", "no"], "maybe")
    table["watts"] = (40 * score + table["wet"]).round(2)
    return table


def linear(
    path: Path,
    *,
    kind: int = TensorProto.FLOAT,
    width: int = 2,
    weights: np.ndarray | None = None,
    batch: str | int = "n",
    names: tuple[str, str] = ("x", "y"),
) -> Path:
    """`y = (x - 20, x - 50) @ weights` as a hand-made graph."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    if weights is None:  # no, maybe, yes
        weights = np.array([[-1.0, 0.0, 1.0]] + [[0.0] * 3] * (width - 1))
    constants = {"w": weights.astype(dtype), "c": np.full(width, 20).astype(dtype)}
    graph = helper.make_graph(
        [
            helper.make_node("Sub", [names[0], "c"], ["centred"]),
            helper.make_node("MatMul", ["centred", "w"], [names[1]]),
        ],
        "mine",
        [helper.make_tensor_value_info(names[0], kind, [batch, width])],
        [helper.make_tensor_value_info(names[1], kind, [batch, weights.shape[1]])],
        [numpy_helper.from_array(v, k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, path)
    return path
