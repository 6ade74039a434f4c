"""A model's explanation is checked against its card; one that is refused costs nothing else."""

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ounce_edge.models.catalogue import Ladder, load_ladder
from ounce_edge.models.checks import EXPLAINED
from ounce_edge.models.halving import call_model
from ounce_edge.models.runtimes.base import LoadedModel, TensorSignature
from ounce_edge.models.runtimes.fake import FakeModel
from ounce_schemas.documents import CARD_FILE, EXPLANATION_FILE

from tests.support.edge.ladders import DIGITS, card, explained, write_ladder

CONTENT = b"explanation of a"


def whole(inputs: Any) -> Any:
    """Answers of the first label, and no contributions."""
    rows = np.zeros((len(inputs["input"]), 8), np.float32)
    rows[:, 0] = 1.0
    return rows


@dataclass
class Runtime:
    """Loads a fake model, and beside it a fake graph that explains."""

    explains: FakeModel
    name = "fake 0"
    threads = 1
    n_loaded = 0

    def load(self, path: Path, content: bytes) -> LoadedModel:
        self.n_loaded += 1
        return self.explains if path.name == EXPLANATION_FILE else FakeModel(DIGITS)


def graph(answer: Any = whole, width: int = 8) -> FakeModel:
    model = FakeModel(DIGITS, answer)
    model.outputs = {EXPLAINED: TensorSignature("FP32", (None, width))}
    return model


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A ladder of one model, which is explained."""
    folder = write_ladder(tmp_path, DIGITS, "a") / "a"
    own = explained(DIGITS, "a").card.explanation
    assert own is not None
    digest = hashlib.sha256(CONTENT).hexdigest()
    update = {"explanation": own.model_copy(update={"sha256": digest})}
    content = hashlib.sha256(b"model a").hexdigest()
    whole_card = card(DIGITS, "a").model_copy(update={**update, "sha256": content})
    (folder / CARD_FILE).write_text(whole_card.model_dump_json())
    (folder / EXPLANATION_FILE).write_bytes(CONTENT)
    return tmp_path


def load(models: Path, explains: FakeModel | None = None, **how: Any) -> Ladder:
    return load_ladder(models, "digits", Runtime(explains or graph()), **how)


def test_a_sound_explanation_is_loaded_with_its_model(models: Path) -> None:
    (model,) = load(models).models
    assert model.explained is not None
    assert model.explained.card.latency != model.card.latency
    assert model.explained.card.sha256 == hashlib.sha256(CONTENT).hexdigest()


def test_it_is_part_of_the_version_and_is_not_loaded_twice(models: Path) -> None:
    ladder = load(models)
    runtime = Runtime(graph())
    again = load_ladder(models, "digits", runtime, serving=ladder)
    assert (again.version, runtime.n_loaded) == (ladder.version, 0)
    (models / "digits" / "a" / EXPLANATION_FILE).unlink()
    assert load(models).version != ladder.version


@pytest.mark.parametrize(
    "explains",
    [
        graph(width=7),
        graph(lambda inputs: np.full((len(inputs["input"]), 8), np.nan, np.float32)),
        FakeModel(DIGITS),
    ],
)
def test_a_graph_that_does_not_explain_leaves_the_model_in_service(
    models: Path, explains: FakeModel, caplog: pytest.LogCaptureFixture
) -> None:
    (model,) = load(models, explains).models
    assert model.explained is None
    assert "explanation refused task=digits model=a" in caplog.text


@pytest.mark.parametrize("content", [b"half of", None])
def test_a_file_that_is_absent_or_another_one_leaves_the_model_in_service(
    models: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    path = models / "digits" / "a" / EXPLANATION_FILE
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    (model,) = load(models).models
    assert model.explained is None
    assert "explanation refused" in caplog.text


def test_a_call_takes_no_more_items_than_were_measured(models: Path) -> None:
    (model,) = load(models).models
    assert model.explained is not None
    graph = model.explained.loaded
    assert isinstance(graph, FakeModel)
    graph.batch_sizes.clear()
    rows = np.arange(4.0 * 150, dtype=np.float32).reshape(150, 4)
    attempt = call_model(model.explained, {"input": rows}, time.perf_counter)
    assert graph.batch_sizes == [64, 64, 22]
    assert (len(attempt.result), [call.n for call in attempt.calls]) == (150, [150])
    call_model(model, {"input": rows}, time.perf_counter)
    assert isinstance(model.loaded, FakeModel)
    assert model.loaded.batch_sizes[-1] == 150
