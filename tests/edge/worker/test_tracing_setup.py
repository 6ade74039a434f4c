"""How a worker's settings make traces."""

import sys

import pytest
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.worker.settings import WorkerSettings
from ounce_edge.worker.startup import make_tracing
from ounce_schemas.errors import OunceError
from pydantic import ValidationError

SETTINGS = WorkerSettings(task=("digits",), kafka="k:1")


def test_there_are_no_traces_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ounce_edge.telemetry.otlp", raising=False)
    assert make_tracing(SETTINGS, "w", Metrics()) is None
    assert "ounce_edge.telemetry.otlp" not in sys.modules  # nor is anything loaded for them


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ounce_edge.telemetry.otlp", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http", None)
    for name in [n for n in sys.modules if n.startswith("opentelemetry.exporter.otlp.proto.http.")]:
        monkeypatch.delitem(sys.modules, name)
    settings = SETTINGS.model_copy(update={"traces": "http://127.0.0.1:1"})
    with pytest.raises(OunceError, match=r'--traces needs .*pip install "ounce\[tracing\]"'):
        make_tracing(settings, "w", Metrics())


@pytest.mark.parametrize("url", ["localhost:4318", "ftp://x", "http://", "http://a b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="traces"):
        WorkerSettings(task=("digits",), kafka="k:1", traces=url)
