"""A folder of engines that can't be used ends a worker's start only where the GPU was asked for."""

import gc
import shutil
import weakref
from pathlib import Path
from typing import Any

import msgspec
import pytest
from ounce_edge.models.runtime_choice import RuntimeChoice
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.telemetry.events import Events
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.models_page import ModelsPage
from ounce_edge.worker.app import run_worker
from ounce_edge.worker.models.sources import ModelSources
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_schemas.errors import ArtifactError, OunceError
from ounce_schemas.models_page import TaskModels


def settings(folder: Path, runtime: RuntimeChoice) -> WorkerSettings:
    """Engines are to lie where a file is."""
    (folder / "file").touch()
    return WorkerSettings(
        task=("digits",),
        kafka="h:1",
        models=folder,
        runtime=runtime,
        engines=folder / "file" / "engines",
    )


def test_auto_says_so_and_serves_on_the_cpu(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ModelSources(settings(tmp_path, RuntimeChoice.AUTO), Metrics()).close()
    assert "models run on the CPU alone: --engines" in caplog.text
    assert "can't be made: Not a directory" in caplog.text


def test_tensorrt_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"engines: can't be made"):
        ModelSources(settings(tmp_path, RuntimeChoice.TENSORRT), Metrics())


@pytest.mark.parametrize("runtime", [RuntimeChoice.CPU, RuntimeChoice.CUDA])
def test_nothing_else_needs_the_folder(
    tmp_path: Path, runtime: RuntimeChoice, caplog: pytest.LogCaptureFixture
) -> None:
    ModelSources(settings(tmp_path, runtime), Metrics()).close()
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("store", "text"),
    [("store", "no Kafka at 127.0.0.1:1"), ("nothing://x", "is no URL of a store")],
)
def test_a_start_that_fails_leaves_the_cache_to_others(
    tmp_path: Path, store: str, text: str
) -> None:
    worker = WorkerSettings(
        task=("digits",),
        kafka="127.0.0.1:1",
        kafka_timeout_s=0.1,
        metrics_port=0,
        runtime=RuntimeChoice.CPU,
        models=tmp_path,
        models_store=store,
        models_unsigned=True,
        models_cache=tmp_path / "cache",
    )
    with pytest.raises(OunceError, match=text) as first:
        run_worker(worker)
    with pytest.raises(OunceError, match=text):
        run_worker(worker)
    assert first.tb  # what the first start had open is not gone because nobody refers to it


def test_models_that_a_worker_begins_with_are_held_by_what_serves_alone(
    digits_models: Path, tmp_path: Path
) -> None:
    shutil.copytree(digits_models / "digits" / "decision-tree", tmp_path / "digits/decision-tree")
    shutil.copy(digits_models / "digits" / "task.json", tmp_path / "digits")
    worker = WorkerSettings(
        task=("digits",), kafka="h:1", models=tmp_path, models_watch_s=0, state=tmp_path / "state",
        runtime=RuntimeChoice.CPU,
    )  # fmt: skip
    sources, runtime, page = ModelSources(worker, Metrics()), OnnxCpuRuntime(), ModelsPage()
    sources.begin(runtime)
    loaded = weakref.ref(sources.first_ladder("digits").models[0].loaded)
    serving: Any = None
    events = Events(lambda key, value, headers: None, lambda task, kind: None)
    sources.start(serving, runtime, events, page, None)
    [shown] = msgspec.json.decode(page.body(), type=list[TaskModels])
    assert shown.models.keys() == {"decision-tree"}
    gc.collect()
    assert loaded() is None
    sources.close()
