"""Messages with time wait for a model that has to be loaded; messages in a hurry do not."""

import asyncio
import math
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.first_beliefs import card_belief
from ounce_edge.models.managed_runtime import ManagedRuntime
from ounce_edge.models.model_memory import ManagedModel, ModelMemory
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.pipeline.turn import Turn
from ounce_schemas.policy import Policy

from tests.support.edge.decisions import view
from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, write_ladder, write_model
from tests.support.edge.pipelines import GOOD, NOW_S, Clock, standing_clocks
from tests.support.edge.serving import FakeDelivery, serving_of

SENT_MS = int(NOW_S * 1e3)
LIGHT = {"accuracy": 0.80, "ms_per_item": 0.01}
HEAVY = {"accuracy": 0.99, "ms_per_item": 0.1}


def pipeline_of(models: Path, task: Any, memory: ModelMemory, fakes: Any) -> Pipeline:
    ladder = load_ladder(models, task.name, ManagedRuntime(FakeRuntime(fakes), memory))
    edition = Edition(ladder, Policy().for_task(task.name), lambda m: card_belief(m.card))
    return Pipeline(edition, clocks=standing_clocks())


class Cold:
    """A light model, and a heavy one that is not loaded; of two bytes each."""

    def __init__(self, models: Path) -> None:
        folder = write_ladder(models, DIGITS)
        write_model(folder, DIGITS, "light", "l", **LIGHT)
        write_model(folder, DIGITS, "heavy", "hh", **HEAVY)
        self.path = folder / "heavy" / "model.onnx"
        self.memory = ModelMemory(2, clock=Clock(), resident=lambda: 0)
        fakes = {"light": FakeModel(DIGITS), "heavy": FakeModel(DIGITS)}
        self.pipeline = pipeline_of(models, DIGITS, self.memory, fakes)
        self.heavy = self.pipeline.ladder.models[0].loaded
        assert isinstance(self.heavy, ManagedModel)
        self.heavy.unload()
        self.outbox = Outbox()

    def ask(self, id_: str, within_ms: int, floor: float = 0.95) -> None:
        headers = [
            ("ce_id", id_.encode()),
            ("ce_maxlatencyms", b"%d" % within_ms),
            ("ce_minaccuracy", str(floor).encode()),
        ]
        record = FakeRecord(GOOD, headers, timestamp_ms=SENT_MS)
        self.pipeline.admit([record], self.outbox)

    def step(self) -> None:
        self.pipeline.step(self.outbox, Turn(slice_ms=100.0))

    @property
    def answered(self) -> dict[str, str]:
        found = [msgspec.json.decode(value or b"") for _, value, _, _ in self.outbox.records]
        return {answer["id"]: answer["model_name"] for answer in found}


@pytest.fixture
def cold(tmp_path: Path) -> Cold:
    return Cold(tmp_path)


def test_a_message_with_time_waits_for_the_load_and_others_do_not_wait_for_it(cold: Cold) -> None:
    cold.ask("patient", 1000)
    cold.ask("easy", 1000, floor=0.5)
    cold.ask("hurried", 10)
    for _ in range(3):
        cold.step()
    assert cold.answered == {"easy": "light", "hurried": "light"}
    assert 0.0 < cold.pipeline.due_in_s() <= 0.005  # it looks again, and does not spin
    assert cold.memory.load_next(0.0)
    cold.step()
    assert cold.answered["patient"] == "heavy"
    assert math.isinf(cold.pipeline.due_in_s())


def test_a_load_that_takes_too_long_is_not_waited_for_beyond_the_deadline(cold: Cold) -> None:
    cold.ask("patient", 30)
    cold.step()
    assert cold.answered == {}
    later = NOW_S + 0.02
    cold.pipeline._clocks = Clocks(lambda: later, cold.pipeline._clocks.steady)
    cold.step()
    assert cold.answered == {"patient": "light"}


def test_where_the_load_fails_another_model_answers(cold: Cold) -> None:
    cold.path.write_bytes(b"other")
    cold.ask("patient", 1000)
    cold.step()
    assert cold.memory.load_next(0.0)
    for _ in range(3):
        cold.step()
    assert cold.answered == {"patient": "light"}
    assert cold.pipeline.snapshot().suspended == {"heavy": True, "light": False}


def test_a_view_knows_which_plans_have_to_be_loaded() -> None:
    from tests.support.edge.cascades import CASCADE, HEAVY, LIGHT, plans

    made = plans()
    warm = made.view(0.0)
    assert warm.cold == frozenset()
    made.believe_loads([0.0, 50.0])
    loads = made.view(0.0)
    assert loads.cold == {HEAVY, CASCADE}
    assert loads.calls[HEAVY, 1].finish_ms == pytest.approx(warm.calls[HEAVY, 1].finish_ms + 50.0)
    assert loads.calls[LIGHT, 8].finish_ms == warm.calls[LIGHT, 8].finish_ms
    assert loads.calls[HEAVY, 1].cost == warm.calls[HEAVY, 1].cost
    made.believe_loads([0.0, 0.0])
    assert made.view(0.0).cold == frozenset()
    assert view(("a", 1, 0.9, 1)).cold == frozenset()


def test_two_hundred_models_of_twenty_tasks_serve_within_a_budget(tmp_path: Path) -> None:
    n_tasks, n_models = 20, 10
    memory = ModelMemory(50, resident=lambda: 0)  # 20 smallest of one byte, and 15 of two
    fakes: dict[str, FakeModel] = {}
    pipelines = []
    for t in range(n_tasks):
        task = DIGITS.model_copy(update={"name": f"task-{t:02}"})
        folder = write_ladder(tmp_path, task)
        for m in range(n_models):
            name = f"m{t:02}-{m}"
            fakes[name] = FakeModel(task)
            promise = {"accuracy": 0.80 + 0.019 * m, "ms_per_item": 0.01 * (m + 1)}
            content = chr(60 + t) + ("" if m == 0 else chr(60 + m))
            write_model(folder, task, name, content, **promise)
        pipelines.append(pipeline_of(tmp_path, task, memory, fakes))
    assert memory.used_bytes <= 50
    delivery = FakeDelivery()
    serving = serving_of(*pipelines, delivery=delivery)
    rng = np.random.default_rng(0)
    records = [
        FakeRecord(
            GOOD,
            [
                ("ce_id", b"%d" % i),
                ("ce_maxlatencyms", b"%d" % (5 if i % 2 else 60_000)),
                ("ce_minaccuracy", str(rng.uniform(0.7, 0.93)).encode()),
            ],
            offset_=i,
            timestamp_ms=SENT_MS,
            topic_=f"ounce.task-{rng.integers(n_tasks):02}.requests",
        )
        for i in range(400)
    ]
    memory.start()

    async def serve() -> None:
        for start in range(0, len(records), 40):
            await serving.take(records[start : start + 40])
            deadline = time.monotonic() + 90.0
            while not math.isinf(serving.due_in_s()):
                assert time.monotonic() < deadline
                await serving.work()
                await asyncio.sleep(0.001)
            while memory.used_bytes > 50:  # what was loaded answers before others make room
                assert time.monotonic() < deadline
                await asyncio.sleep(0.001)

    asyncio.run(serve())
    memory.close()
    serving.close()
    assert sorted(delivery.published, key=int) == [str(i) for i in range(400)]
    assert sum(1 for fake in fakes.values() if len(fake.batch_sizes) > 1) > 60
