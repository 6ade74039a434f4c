"""A folder of engines that can't be used ends a worker's start only where the GPU was asked for."""

from pathlib import Path

import pytest
from ounce_edge.models.runtime_choice import RuntimeChoice
from ounce_edge.worker.model_sources import ModelSources
from ounce_edge.worker.settings import WorkerSettings
from ounce_schemas.errors import ArtifactError


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
    ModelSources(settings(tmp_path, RuntimeChoice.AUTO)).close()
    assert "models run on the CPU alone: --engines" in caplog.text
    assert "can't be made: Not a directory" in caplog.text


def test_tensorrt_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"engines: can't be made"):
        ModelSources(settings(tmp_path, RuntimeChoice.TENSORRT))


@pytest.mark.parametrize("runtime", [RuntimeChoice.CPU, RuntimeChoice.CUDA])
def test_nothing_else_needs_the_folder(
    tmp_path: Path, runtime: RuntimeChoice, caplog: pytest.LogCaptureFixture
) -> None:
    ModelSources(settings(tmp_path, runtime)).close()
    assert caplog.text == ""
