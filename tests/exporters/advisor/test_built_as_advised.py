"""`ounce train --advice` builds what `ounce advise` promised."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from ounce_edge.models import measurement
from ounce_edge.models.measurement import measure_latency
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.advisor import advising, exporting
from ounce_exporters.export.graphs import UNCALIBRATED
from ounce_exporters.ladder.recipe import Recipe, TaskData
from ounce_schemas.advice import Verdict
from ounce_schemas.documents import read_advice, read_card

from tests.support.process.command import Run

SMALL = ("--budget", "2")
"""Work for a few light models."""


def test_training_builds_what_was_advised_and_keeps_what_it_promised(
    ounce: Run, pumps: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finalists: dict[str, tuple[exporting.Exported, TaskData]] = {}

    def kept(recipe: Recipe, data: TaskData, *rest: Any, **more: Any) -> exporting.Exported:
        exported = exporting.export(recipe, data, *rest, **more)
        finalists[recipe.name] = exported, data
        return exported

    monkeypatch.setattr(advising, "export", kept)
    monkeypatch.setattr(measurement, "SPENT", 1.0)
    out = tmp_path / "advice.json"
    asked = ("--data", pumps, "--target", "state", "--by", "site")
    told = ounce("advise", *asked, *SMALL, "--out", out)
    assert told.code == 0, told.stderr
    advice = read_advice(out)
    groups = next(reason for reason in advice.reasons if reason.topic == "fairness")
    assert set(groups.figures) == {"site=(all smaller groups)"}  # 45 rows judge both sites
    assert any(notice.startswith("read as: ',' separated") for notice in advice.look.notices)
    assert advice.decision.verdict is Verdict.CLASSICAL
    assert advice.decision.plan is not None

    trained = ounce("train", "--advice", out, "--models", tmp_path / "models", "--resume")

    assert trained.code == 0, trained.stderr
    assert "nothing to resume" in trained.stderr + trained.stdout
    folder = tmp_path / "models" / "pumps"
    built = sorted(path.parent.name for path in folder.glob("*/card.json"))
    assert built == sorted(advice.decision.plan.models)
    for name in built:
        trained_graph = (folder / name / "model.onnx").read_bytes()
        finalist, data = finalists[name]
        assert sha256_uncalibrated(trained_graph) == sha256_uncalibrated(finalist.content)
        assert latency_ratios(trained_graph, finalist, data) == pytest.approx([1, 1], abs=0.1)
    for_gpus = ounce("train", "--advice", out, "--models", tmp_path / "gpu", "--keep-lighter")
    assert for_gpus.code == 0, for_gpus.stderr
    assert {f"{built[0]}-tensors", *built} <= {p.name for p in (tmp_path / "gpu/pumps").iterdir()}
    card = read_card(folder / built[0] / "card.json")
    promised = advice.decision.plan.accuracy
    assert promised.low <= card.validation_accuracy.value <= promised.high
    arm = next(arm for arm in advice.arms if arm.model == built[0])
    assert card.size_bytes == pytest.approx(arm.size_bytes, rel=0.01)
    assert "of memory once loaded" in told.stdout
    assert built[0] in advice.measured.memory_bytes


def latency_ratios(
    trained: bytes, finalist: exporting.Exported, data: TaskData
) -> NDArray[np.float64]:
    """Time of a call of 1 and of 128 rows, trained to advised. Both are timed in turn, until their
    least medians are within 8% or they have had 50 turns."""
    model = OnnxCpuRuntime(threads=1).load(Path("model.onnx"), trained)
    fresh_ms, advised_ms = np.full(2, np.inf), np.full(2, np.inf)
    for _ in range(50):
        at = measure_latency(model, data.validation.inputs, batch_sizes=[1, 128], seconds=0.05)
        fresh_ms = np.minimum(fresh_ms, [t.p50_ms for t in at])
        promised = exporting.measure([finalist], data, [1, 128], seconds=0.05)
        advised_ms = np.minimum(advised_ms, [m.p50_ms for m in promised])
        if np.abs(fresh_ms / advised_ms - 1).max() < 0.08:
            break
    return fresh_ms / advised_ms


def sha256_uncalibrated(content: bytes) -> str:
    """Of a graph up to its calibration, which training fits on more folds than a race has."""
    graph = onnx.load_from_string(content).graph
    wanted, parts = {UNCALIBRATED}, []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            wanted |= set(node.input)
            parts.append(node.SerializeToString(deterministic=True))
    assert parts
    constants = sorted((c.name, c.SerializeToString()) for c in graph.initializer)
    parts += [constant for name, constant in constants if name in wanted]
    return hashlib.sha256(b"".join(parts)).hexdigest()
