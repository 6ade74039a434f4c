"""How a worker's settings make traces."""

import sys

import pytest
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.trace_protocol import TraceProtocol
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_edge.worker.startup import make_tracing
from ounce_schemas.errors import OunceError
from pydantic import ValidationError

SETTINGS = WorkerSettings(task=("digits",), kafka="k:1")


def test_there_are_no_traces_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "ounce_edge.telemetry.otlp", raising=False)
    assert make_tracing(SETTINGS, "w", Metrics()) is None
    assert "ounce_edge.telemetry.otlp" not in sys.modules  # nor is anything loaded for them


@pytest.mark.parametrize("protocol", TraceProtocol)
def test_a_missing_package_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, protocol: TraceProtocol
) -> None:
    package = f"opentelemetry.exporter.otlp.proto.{protocol}"
    for name in [n for n in sys.modules if n.startswith(f"{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    told = {"traces": "http://127.0.0.1:1", "traces_protocol": protocol}
    settings = SETTINGS.model_copy(update=told)
    with pytest.raises(OunceError, match=r'--traces needs .*pip install "ounce\[tracing\]"'):
        make_tracing(settings, "w", Metrics())


@pytest.mark.parametrize("url", ["localhost:4318", "ftp://x", "http://", "http://a b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="traces"):
        WorkerSettings(task=("digits",), kafka="k:1", traces=url)


def test_a_path_over_grpc_is_refused() -> None:
    with pytest.raises(ValidationError, match="over grpc have no path: leave out '/v1/traces'"):
        WorkerSettings(
            task=("digits",), kafka="k:1", traces="http://h:4317/v1/traces", traces_protocol="grpc"
        )
    WorkerSettings(task=("digits",), kafka="k:1", traces="http://h:4317/", traces_protocol="grpc")
