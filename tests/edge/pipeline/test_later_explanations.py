"""A graph that explains is loaded when a message asks for it, and nobody waits for it in vain."""

import hashlib
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.checks import EXPLAINED
from ounce_edge.models.first_beliefs import card_belief, measured_belief
from ounce_edge.models.managed_runtime import ManagedRuntime
from ounce_edge.models.model_memory import ManagedModel, ModelMemory
from ounce_edge.models.runtimes.base import LoadedModel, TensorSignature
from ounce_edge.models.runtimes.fake import FakeModel
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_schemas.documents import CARD_FILE, EXPLANATION_FILE
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import Prediction

from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, card, explained, write_ladder
from tests.support.edge.pipelines import GOOD, NOW_S, Clock, standing_clocks

CONTENT = b"explanation of a"


class Runtime:
    """Loads a fake model, and the fake graph beside it."""

    name = "fake 0"
    threads = 1

    def __init__(self) -> None:
        self.graph = explained(DIGITS, "a").explained.loaded  # type: ignore[union-attr]
        self.graph.outputs = {EXPLAINED: TensorSignature("FP32", (None, 8))}  # type: ignore[misc]
        self.loaded: list[str] = []

    def load(self, path: Path, content: bytes) -> LoadedModel:
        self.loaded.append(path.name)
        return self.graph if path.name == EXPLANATION_FILE else FakeModel(DIGITS)


class Rig:
    """A pipeline of one model, whose explanation nobody has asked for yet."""

    def __init__(self, models: Path) -> None:
        folder = write_ladder(models, DIGITS, "a") / "a"
        own = explained(DIGITS, "a").card.explanation
        assert own is not None
        digests = [hashlib.sha256(content).hexdigest() for content in (CONTENT, b"model a")]
        update = {"explanation": own.model_copy(update={"sha256": digests[0]})}
        whole = card(DIGITS, "a").model_copy(update={**update, "sha256": digests[1]})
        (folder / CARD_FILE).write_text(whole.model_dump_json())
        self.path = folder / EXPLANATION_FILE
        self.path.write_bytes(CONTENT)
        self.runtime = Runtime()
        self.memory = ModelMemory(np.inf, clock=Clock(), resident=lambda: 0)
        managed = ManagedRuntime(self.runtime, self.memory, is_limited=False)
        self.ladder = load_ladder(models, "digits", managed)
        edition = Edition(self.ladder, Policy().for_task("digits"), measured_belief)
        self.pipeline = Pipeline(edition, clocks=standing_clocks())
        self.outbox = Outbox()

    def ask(self, id_: str, within_ms: int) -> None:
        headers = [
            ("ce_id", id_.encode()),
            ("ce_explanation", b"true"),
            ("ce_maxlatencyms", b"%d" % within_ms),
        ]
        record = FakeRecord(GOOD, headers, timestamp_ms=int(NOW_S * 1e3))
        self.pipeline.admit([record], self.outbox)
        self.pipeline.step(self.outbox)

    @property
    def answers(self) -> dict[str, str | None]:
        found = [msgspec.json.decode(r[1] or b"", type=Prediction) for r in self.outbox.records]
        return {p.id: p.parameters.explanation or p.parameters.not_explained for p in found}


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_nothing_is_loaded_before_a_message_asks(rig: Rig) -> None:
    assert rig.runtime.loaded == ["model.onnx"]
    (model,) = rig.ladder.models
    assert model.explained is not None
    assert model.explained.resident_bytes == 0
    own, explains = rig.pipeline.plans.models
    ratio = own.latency.profile_of(1) / card_belief(model.card).profile_of(1)
    said_ms = model.explained.card.latency.batches[0].p50_ms
    assert explains.latency.profile_of(1) == pytest.approx(said_ms * ratio)


def test_a_message_in_a_hurry_goes_without_and_later_ones_do_not(rig: Rig) -> None:
    rig.ask("hurried", 20)
    assert rig.answers == {"hurried": "targets"}
    assert rig.memory.load_next(0.0)
    assert rig.runtime.loaded == ["model.onnx", EXPLANATION_FILE]
    rig.ask("next", 20)
    assert rig.answers["next"] == "exact"


def test_a_message_with_time_waits_for_the_load(rig: Rig) -> None:
    rig.ask("patient", 10_000)
    assert rig.answers == {}
    assert rig.memory.load_next(0.0)
    rig.pipeline.step(rig.outbox)
    assert rig.answers == {"patient": "exact"}


@pytest.mark.parametrize("spoil", ["the file", "the graph"])
def test_one_that_can_not_serve_costs_the_explanation_alone(rig: Rig, spoil: str) -> None:
    if spoil == "the file":
        rig.path.write_bytes(b"another one")
    else:
        rig.runtime.graph.outputs = {}  # type: ignore[misc]
    rig.ask("patient", 10_000)
    assert rig.memory.load_next(0.0)
    for _ in range(3):
        rig.pipeline.step(rig.outbox)
    assert rig.answers == {"patient": "targets"}
    own, explains = rig.pipeline.plans.models
    assert (own.suspension.is_open(50.0), explains.suspension.is_open(50.0)) == (False, True)


def test_a_graph_that_explains_is_never_the_smallest_model_that_stays(tmp_path: Path) -> None:
    memory = ModelMemory(5, resident=lambda: 0)
    runtime: Any = ManagedRuntime(Runtime(), memory)
    found: dict[str, Any] = {}
    for name, content in (
        ("model.onnx", b"12345"),
        (EXPLANATION_FILE, b"1"),
        ("b/m.onnx", b"1" * 9),
    ):
        path = tmp_path / "t" / ("b" if "/" in name else "a") / Path(name).name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        found[name] = runtime.load(path, content)
    assert isinstance(found["model.onnx"], ManagedModel)
    assert {name: model.is_loaded for name, model in found.items()} == {
        "model.onnx": True, EXPLANATION_FILE: False, "b/m.onnx": True,
    }  # fmt: skip
