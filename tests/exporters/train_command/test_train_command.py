"""`ounce train`: what it writes."""

import subprocess
import sys
import time
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pytest
from ounce_schemas.documents import read_card, read_plans, read_task
from ounce_schemas.request import Request
from ounce_schemas.training_progress import TrainingProgress

from tests.support.process.command import Run

BY_DEFAULT = {
    "logistic-regression",
    "decision-tree",
    "glass-box",
    "gradient-boosting",
    "kernel-svm",
    "random-forest",
    "extra-trees",
    "mlp",
}
"""Models of a table of classes."""


def test_a_table_becomes_a_ladder(train: Run, rooms: Path, tmp_path: Path) -> None:
    result = train("--data", rooms, "--target", "busy", "--models", tmp_path)
    assert result.code == 0, result.stderr
    assert "Note: the first column is left out: it has no name in the header" in result.stdout
    assert "Note: column 'site' is left out: it is north in every row" in result.stdout
    assert "Ladder of rooms-1" in result.stdout
    assert "Plans of rooms-1, on validation data" in result.stdout
    folder = tmp_path / "rooms-1"
    names = BY_DEFAULT
    assert {path.name for path in folder.iterdir()} == names | {
        "task.json",
        "test-split.npz",
        "validation-split.npz",
        "report.html",
        "example-request.json",
        "plans.json",
    }
    task = read_task(folder / "task.json")
    assert task.labels == ("no", "yes")
    assert [tensor.columns for tensor in task.inputs] == [("light", "watts"), ("season",)]
    assert all(tensor.allow_missing for tensor in task.inputs)
    with np.load(folder / "test-split.npz", allow_pickle=False) as test:
        assert test["input"].shape == (30, 2)
        assert test["input"].dtype == np.float32
        assert set(test["categories"].ravel()) == {"summer", "winter"}
        assert test["targets"].dtype == np.int64
    for name in names:
        assert name in result.stdout
        card = read_card(folder / name / "card.json")
        assert (card.task, card.model, card.test_accuracy.n) == ("rooms-1", name, 30)
        assert [b.batch_size for b in card.latency.batches] == [2**i for i in range(9)]


def test_a_model_that_fails_is_named_and_the_others_are_planned(
    train: Run, rooms: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def diverge(*_: object, **__: object) -> None:
        raise FloatingPointError("the loss is nan")

    monkeypatch.setattr("ounce_exporters.tasks.table.recipes.fit_mlp", diverge)
    chosen = ["--only", "mlp", "--only", "logistic-regression", "--only", "decision-tree"]
    result = train("--data", rooms, "--target", "busy", "--models", tmp_path, *chosen)
    assert result.code == 3
    folder = tmp_path / "rooms-1"
    assert result.stderr == (
        f"ounce: 1 of 3 models failed; {folder} holds the others and can serve. Failed: "
        "mlp: training failed: FloatingPointError: the loss is nan\n"
    )
    plans = read_plans(folder / "plans.json").plans
    assert {plan.name for plan in plans if not plan.is_cascade} == {
        "logistic-regression",
        "decision-tree",
    }
    assert "no plans" not in result.stdout + result.stderr


def test_models_that_do_not_fit_in_the_time_limit_are_left_out_and_named(
    train: Run, rooms: Path, tmp_path: Path
) -> None:
    options = ["--data", rooms, "--target", "busy", "--models", tmp_path, "--time-limit", "1"]
    result = train(*options)
    assert result.code == 0, result.stderr
    made = {path.parent.name for path in (tmp_path / "rooms-1").glob("*/card.json")}
    assert made == {"logistic-regression"}
    assert "Note: mlp is left out: about 4 s of work don't fit in --time-limit 1" in result.stdout
    assert "; 1 model" in result.stdout


def test_a_quantity_becomes_a_regression_with_a_printed_tolerance(
    train: Run, rooms: Path, tmp_path: Path
) -> None:
    options = ["--data", rooms, "--target", "watts", "--models", tmp_path, "--only", "ridge"]
    result = train(*options)
    assert result.code == 0, result.stderr
    assert "of 'watts' counts as acceptable: a quick model reaches that for 95%" in result.stdout
    card = read_card(tmp_path / "rooms-1" / "ridge" / "card.json")
    assert card.regression is not None
    assert card.calibration.method == "split-conformal"
    page = (tmp_path / "rooms-1" / "ridge" / "README.md").read_text(encoding="utf-8")
    assert page.startswith("---\nlibrary_name: onnx\npipeline_tag: tabular-regression\n")

    plans = read_plans(tmp_path / "rooms-1" / "plans.json").plans
    assert [plan.name for plan in plans] == ["ridge"]
    again = train(*options[:-1], "decision-tree")
    assert again.code == 0, again.stderr
    assert "planning cascades" in again.stdout
    plans = read_plans(tmp_path / "rooms-1" / "plans.json").plans
    assert {plan.name for plan in plans} == {"ridge", "decision-tree"}

    other = train(*options, "--tolerance", "0.5")
    assert other.code == 1
    assert "holds models of another signature (decision-tree, ridge)" in other.stderr


def test_a_parquet_file_is_read_too(train: Run, tmp_path: Path) -> None:
    n = 60
    table = pd.DataFrame({"kind": list("ab") * (n // 2), "y": [True, False] * (n // 2)})
    table.to_parquet(tmp_path / "kinds.parquet")
    options = ["--data", tmp_path / "kinds.parquet", "--target", "y", "--models", tmp_path]
    result = train(*options, "--only", "decision-tree", "--task", "kinds-of-things")
    assert result.code == 0, result.stderr
    card = read_card(tmp_path / "kinds-of-things" / "decision-tree" / "card.json")
    assert card.validation_accuracy.value == 1


def test_digits_trains_the_models_that_are_named(
    train: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A worker's OUNCE_TASK may be set in the same shell.
    chosen = ["--only", "decision-tree", "--only", "logistic-regression"]
    monkeypatch.setenv("OUNCE_TASK", "digits bearing")
    result = train("digits", "--models", tmp_path, *chosen)
    assert result.code == 0, result.stderr
    with np.load(tmp_path / "digits" / "test-split.npz", allow_pickle=False) as test:
        assert test["input"].shape == (450, 64)
    assert read_card(tmp_path / "digits" / "decision-tree" / "card.json").family == "classical"


def test_what_to_do_next_is_printed(train: Run, rooms: Path, tmp_path: Path) -> None:
    options = ["--data", rooms, "--target", "busy", "--models", tmp_path, "--only", "decision-tree"]
    result = train(*options)
    assert result.code == 0, result.stderr
    lines = result.stdout.partition(f"Written to {tmp_path / 'rooms-1'}\n")[2].splitlines()
    asked, kafka = (
        lines.index("Ask the models in this process:"),
        lines.index("Next, with Kafka at localhost:9092:"),
    )
    assert lines[asked + 1].startswith("  ounce ask rooms-1 --data '{")
    assert lines[asked + 1].endswith(f"--local --models {tmp_path}")
    lines = lines[kafka + 1 :]
    assert lines[0] == "  ounce topics rooms-1 --kafka localhost:9092"
    assert lines[1] == f"  ounce worker --task rooms-1 --kafka localhost:9092 --models {tmp_path}"
    assert "as a record of ounce.rooms-1.requests" in lines[4]
    assert any("input: light, watts; null where missing" in line for line in lines[5:8])
    request = msgspec.json.decode(
        (tmp_path / "rooms-1" / "example-request.json").read_bytes(), type=Request
    )
    assert [tensor.name for tensor in request.inputs] == ["input", "categories"]
    assert [tensor.shape for tensor in request.inputs] == [[1, 2], [1, 1]]
    page = (tmp_path / "rooms-1" / "decision-tree" / "README.md").read_text()
    assert "A request of this task, as a record of the topic `ounce.rooms-1.requests`" in page


def test_a_quick_ladder_lies_apart_and_says_so(train: Run, tmp_path: Path) -> None:
    report = tmp_path / "progress.jsonl"
    options = ["--quick", "--models", tmp_path, "--report", report, "--only", "decision-tree"]
    result = train("digits", *options)
    assert result.code == 0, result.stderr
    assert not (tmp_path / "digits").exists()
    card = read_card(tmp_path / "quick" / "digits" / "decision-tree" / "card.json")
    assert card.training.source.endswith("; a quick ladder, made with --quick")
    lines = [
        msgspec.json.decode(line, type=TrainingProgress) for line in report.read_bytes().split()
    ]
    shares = [line.share for line in lines]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0, 1)
    assert [line.models[0].state for line in lines][:2] == ["waiting", "training"]
    last = lines[-1].models[0]
    assert (last.state, last.accuracy) == ("done", card.validation_accuracy.value)


def test_a_terminated_training_leaves_no_part_of_a_ladder(tmp_path: Path) -> None:
    report = tmp_path / "progress.jsonl"
    models = tmp_path / "models"
    command = [Path(sys.executable).with_name("ounce"), "train", "digits", "--quick"]
    with subprocess.Popen(
        [*command, "--models", models, "--report", report], stdout=subprocess.DEVNULL
    ) as training:
        give_up_s = time.monotonic() + 200
        while not (report.exists() and b"training" in report.read_bytes()):
            assert time.monotonic() < give_up_s
            time.sleep(0.05)
        made = {path.name for path in (models / "quick").iterdir()}
        assert made == {".new-digits", ".checkpoints-digits"}
        training.terminate()
        assert training.wait(90) == 143
    left = {path.name for path in (models / "quick").iterdir()}
    assert left <= {".checkpoints-digits"}  # where a network had begun to learn
