"""Cells as they stand in the file, sent to a worker's pipeline: known, and answered as promised."""

import csv
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.export.artifacts import write_task
from ounce_exporters.ladder.building import export_model
from ounce_exporters.lighter.recipes import with_lighter
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.crossfit import train
from ounce_schemas.cells import read_cell
from ounce_schemas.prediction import Prediction
from ounce_schemas.task import TaskSpec

from tests.support.edge.ladders import FakeRecord
from tests.support.edge.pipelines import pipeline, process

N = 600
RNG = np.random.default_rng(0)


def hostile_rows() -> list[list[str]]:
    """Rows whose class is told by cells that are easily read in two ways; 3% are wrong."""
    door = RNG.choice(["TRUE", "FALSE", ""], N, p=[0.4, 0.4, 0.2])
    region = RNG.choice(["NA", "None", "null", "EU"], N)
    amount = RNG.gamma(2, 4000, N)
    at = [f"2026-01-{d:02d} {h:02d}:00:00" for d, h in zip(
        RNG.integers(1, 29, N), RNG.integers(0, 24, N), strict=True)]  # fmt: skip
    yes = (door == "TRUE") | ((region == "NA") & (amount > 6000))
    yes ^= RNG.random(N) < 0.03
    return [
        [door[i], region[i], f"{amount[i]:,.2f}", at[i], "yes" if yes[i] else "no"]
        for i in range(N)
    ]


HEADER = ["door", "region", "amount", "at", "y"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[str]]]:
    """A folder of a ladder of two models and their forms, and the file's rows as texts."""
    folder = tmp_path_factory.mktemp("models")
    with (folder / "t.csv").open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *hostile_rows()])
    data = load(folder / "t.csv", "y", "t", TableOptions(), 0, lambda line: None)
    write_task(folder / "t", data.spec, data.test)
    chosen = [r for r in recipes(data) if r.name in ("logistic-regression", "decision-tree")]
    for recipe in with_lighter(chosen, keep=True):
        trained = train(recipe, data, 0, lambda share: None)
        export_model(data, recipe, trained, folder / "t", 0)
    with (folder / "t.csv").open(newline="") as file:
        return folder, list(csv.reader(file))[1:]


def body(task: TaskSpec, row: dict[str, str], *, as_sent: bool) -> bytes:
    """A request that holds a row's cells; texts as they stand, or as the task reads them."""
    tensors: list[dict[str, Any]] = []
    for tensor in task.inputs:
        cells = [(cell, row[cell.column]) for cell in tensor.cells or ()]
        text = tensor.datatype == "BYTES"
        data = [t if text and as_sent else read_cell(cell, t) for cell, t in cells]
        tensors.append({"name": tensor.name, "shape": [1, len(data)],
                        "datatype": tensor.datatype, "data": data})  # fmt: skip
    return json.dumps({"inputs": tensors}).replace("NaN", "null").encode()


def predictions(
    folder: Path,
    rows: list[dict[str, str]],
    *,
    as_sent: bool = True,
    name: str = "decision-tree",
) -> list[Prediction]:
    ladder = load_ladder(folder, "t", OnnxCpuRuntime(threads=1))
    records = [
        FakeRecord(body(ladder.task, row, as_sent=as_sent), offset_=i) for i, row in enumerate(rows)
    ]
    models = [model for model in ladder.models if model.card.model == name]
    served, _ = process(pipeline(*models, task=ladder.task, min_accuracy=0), *records)
    return [msgspec.json.decode(value, type=Prediction) for _, value, _, _ in served]


def labels(found: list[Prediction]) -> list[str]:
    return [str(prediction.outputs[0].data[0]) for prediction in found]


def test_cells_that_stand_in_the_file_are_answered_as_promised(
    trained: tuple[Path, list[list[str]]],
) -> None:
    folder, lines = trained
    rows = [dict(zip(HEADER, line, strict=True)) for line in lines]
    found = predictions(folder, rows)
    said = labels(found)
    assert len(said) == N
    assert not any(prediction.parameters.unknown_text for prediction in found)
    right = np.mean([answer == row["y"] for answer, row in zip(said, rows, strict=True)])
    assert right > 0.93


def test_other_spellings_of_a_known_text_mean_the_same(
    trained: tuple[Path, list[list[str]]],
) -> None:
    folder, lines = trained
    rows = [dict(zip(HEADER, line, strict=True)) for line in lines[:100]]
    other = [{**row, "door": f" {row['door'].title()} ", "region": row["region"].lower()}
             for row in rows]  # fmt: skip
    said = labels(predictions(folder, rows))
    assert labels(predictions(folder, other)) == said
    assert labels(predictions(folder, rows, as_sent=False)) == said


@pytest.mark.parametrize("name", ["decision-tree", "logistic-regression"])
def test_a_form_that_reads_bytes_answers_as_its_model(
    trained: tuple[Path, list[list[str]]], name: str
) -> None:
    folder, lines = trained
    rows = [dict(zip(HEADER, line, strict=True)) for line in lines[:100]]
    rows[3]["region"], rows[4]["door"] = "LATAM", "wide open, and nobody is there"
    rows[5]["region"] = ""
    wanted = predictions(folder, rows, name=name)
    found = predictions(folder, rows, name=f"{name}-tensors")
    assert labels(found) == labels(wanted)
    assert [p.parameters.unknown_text for p in found] == [p.parameters.unknown_text for p in wanted]


def test_a_text_that_was_never_seen_is_said_in_the_answer(
    trained: tuple[Path, list[list[str]]],
) -> None:
    folder, lines = trained
    rows = [dict(zip(HEADER, line, strict=True)) for line in lines[:20]]
    rows[3]["region"] = "LATAM"
    marked = [prediction.parameters.unknown_text for prediction in predictions(folder, rows)]
    assert marked == [i == 3 for i in range(20)]


def test_a_gap_that_no_row_had_is_said_in_the_answer(
    trained: tuple[Path, list[list[str]]],
) -> None:
    folder, lines = trained
    rows = [dict(zip(HEADER, line, strict=True)) for line in lines[:20]]
    rows[3]["region"] = rows[5]["amount"] = ""
    found = predictions(folder, rows)
    assert [p.parameters.unseen_missing for p in found] == [i in (3, 5) for i in range(20)]
    assert any(row["door"] == "" for row in rows)


def test_the_task_says_how_each_cell_is_read(trained: tuple[Path, list[list[str]]]) -> None:
    folder, _ = trained
    task = load_ladder(folder, "t", OnnxCpuRuntime(threads=1)).task
    numbers, texts = task.inputs
    assert numbers.columns == ("amount", "at.hour", "at.weekday")
    assert [(c.column, c.read) for c in numbers.cells or ()] == [
        ("amount", "number"),
        ("at", "hour"),
        ("at", "weekday"),
    ]
    assert [c.texts for c in texts.cells or ()] == [
        ("FALSE", "TRUE"),
        ("EU", "NA", "None", "null"),
    ]


def test_the_model_s_page_says_how_each_cell_is_read(trained: tuple[Path, list[list[str]]]) -> None:
    folder, _ = trained
    page = (folder / "t" / "decision-tree" / "README.md").read_text(encoding="utf-8")
    assert "| at.hour | at | hour of a date (0 to 23) |" in page
    assert "| door | door | text; known are `FALSE`, `TRUE` |" in page
    assert "| amount |" not in page
