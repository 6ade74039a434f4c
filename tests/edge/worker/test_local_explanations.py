"""Without Kafka, too, graphs that explain are loaded when a request asks for one."""

from pathlib import Path

import msgspec
import pytest
from ounce_edge.models.runtimes.base import LoadedModel
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.worker import local
from ounce_edge.worker.local import LocalWorker
from ounce_schemas.documents import EXPLANATION_FILE

BODY = msgspec.json.encode({"input": [0.0] * 64})
ASKS = [("ce_explanation", b"true"), ("ce_maxlatencyms", b"30000"), ("ounce-answer", b"flat")]


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that were loaded."""
    names: list[str] = []

    class Runtime(OnnxCpuRuntime):
        def load(self, path: Path, content: bytes) -> LoadedModel:
            names.append(path.name)
            return super().load(path, content)

    monkeypatch.setattr(local, "OnnxCpuRuntime", Runtime)
    return names


def test_a_graph_that_explains_is_loaded_when_a_request_asks(
    digits_models: Path, loaded: list[str]
) -> None:
    worker = LocalWorker(digits_models, "digits", explains_later=True)
    (plain,) = worker.answer([(BODY, [("ounce-answer", b"flat")])])
    assert "label" in msgspec.json.decode(plain.value or b"")
    assert EXPLANATION_FILE not in loaded
    (asked,) = worker.answer([(BODY, ASKS)])
    assert "contributions" in msgspec.json.decode(asked.value or b"")["explanation"]
    assert loaded.count(EXPLANATION_FILE) == 1


def test_a_program_that_asks_once_finds_all_loaded(digits_models: Path, loaded: list[str]) -> None:
    worker = LocalWorker(digits_models, "digits")
    before = loaded.count(EXPLANATION_FILE)
    assert before > 0
    (asked,) = worker.answer([(BODY, ASKS)])
    assert "explanation" in msgspec.json.decode(asked.value or b"")
    assert loaded.count(EXPLANATION_FILE) == before
