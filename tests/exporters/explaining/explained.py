"""Models of a small table, trained and exported with their explanations."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.ladder.building import export_model
from ounce_exporters.ladder.recipe import Inputs, Recipe, Split, TaskData
from ounce_exporters.training.crossfit import Trained
from ounce_schemas.card import ModelCard
from ounce_schemas.cells import Cell
from ounce_schemas.documents import EXPLANATION_FILE, MODEL_FILE
from ounce_schemas.task import TaskSpec, TensorSpec


class Exported(NamedTuple):
    """A model's card, and what its two files say of the test items."""

    card: ModelCard
    answers: NDArray[np.float32]
    explained: NDArray[np.float32]
    """Answer, base, contributions."""

    @property
    def sums(self) -> NDArray[np.float64]:
        """Base and contributions, added up; shape (n_items,)."""
        return np.asarray(self.explained[:, self.answers.shape[1] :].sum(axis=1, dtype=np.float64))


def export(
    data: TaskData,
    folder: Path,
    fit: Callable[..., Any],
    family: Literal["classical", "neural"] = "classical",
) -> Exported:
    """Train, calibrate and export a model, and run it on the test items."""
    recipe = Recipe("m", family, "any", fit)
    model = fit(data, 0, lambda _: None)
    trained = Trained(model, model.predict(data.validation.inputs))
    (folder / data.spec.name).mkdir(exist_ok=True)
    card = export_model(data, recipe, trained, folder / data.spec.name, 0)
    assert card.explanation is not None, card.unexplained
    own = folder / data.spec.name / "m"
    runtime, inputs = OnnxCpuRuntime(), data.test.inputs
    files = [own / MODEL_FILE, own / EXPLANATION_FILE]
    answers, explained = (runtime.load(path, path.read_bytes()).run(inputs) for path in files)
    return Exported(card, answers, explained)


def table(kind: str, labels: tuple[str, ...] = ("no", "yes")) -> TaskData:
    """Three numbers, one with gaps, and a text; classes or a quantity."""
    rng = np.random.default_rng(3)
    n = 400
    numbers = rng.normal(size=(n, 3)).astype(np.float32)
    texts = rng.choice(["a", "b", "c"], size=(n, 1)).astype(object)
    numbers[::9, 2] = np.nan
    of_y = 1.5 * numbers[:, 1] * (texts[:, 0] == "b")
    quantity = 1.2 * numbers[:, 0] + of_y + np.isnan(numbers[:, 2]) + rng.normal(size=n) * 0.1
    spec = TaskSpec(
        name="t",
        kind="classification" if kind == "classes" else "regression",
        description="",
        inputs=(
            TensorSpec(
                name="input",
                datatype="FP32",
                shape=(3,),
                columns=("x", "y", "z"),
                cells=tuple(Cell(column=name, read="number") for name in "xyz"),
                allow_missing=True,
            ),
            TensorSpec(
                name="categories",
                datatype="BYTES",
                shape=(1,),
                columns=("text",),
                cells=(Cell(column="text", read="text", texts=("a", "b", "c")),),
                allow_missing=True,
            ),
        ),
        **(
            {"labels": labels}
            if kind == "classes"
            else {"tolerance": 0.5, "interval_coverage": 0.9}
        ),
    )
    targets: NDArray[Any] = quantity.astype(np.float32)
    if kind == "classes":
        ends = np.quantile(quantity, np.linspace(0, 1, len(labels) + 1)[1:-1])
        targets = np.searchsorted(ends, quantity).astype(np.int64)

    def split(rows: slice) -> Split:
        inputs: Inputs = {"input": numbers[rows], "categories": texts[rows]}
        return Split(inputs, targets[rows])

    return TaskData(
        spec, "made", split(slice(200)), split(slice(200, 300)), split(slice(300, n)), "0" * 64
    )


def log_odds(answers: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of the answered label: the logarithm of its probability, less the mean of the others'."""
    logs = np.log(answers.astype(np.float64))
    label, n = answers.argmax(axis=1), answers.shape[1]
    own = logs[np.arange(len(logs)), label]
    return np.asarray(own - (logs.sum(axis=1) - own) / (n - 1))
