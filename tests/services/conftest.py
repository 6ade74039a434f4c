"""Fixtures of the services' tests: a small task on disk, and the embedded broker."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from ounce_schemas.documents import TASK_FILE, TEST_SPLIT_FILE
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_services.cluster.embedded import EmbeddedBroker
from ounce_services.devices.samples import Samples, read_samples

N_ITEMS = 50


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder with the task `toy`: 4 floats in, label '0' or '1', the sign of their sum."""
    folder = tmp_path / "models" / "toy"
    folder.mkdir(parents=True)
    spec = TaskSpec(
        name="toy",
        kind="classification",
        description="sign of a sum",
        inputs=(TensorSpec(name="input", datatype="FP32", shape=(4,)),),
        labels=("0", "1"),
    )
    (folder / TASK_FILE).write_text(spec.model_dump_json())
    inputs = np.random.default_rng(0).normal(size=(N_ITEMS, 4)).astype(np.float32)
    targets = (inputs.sum(axis=1) > 0).astype(np.int64)
    np.savez(folder / TEST_SPLIT_FILE, input=inputs, targets=targets)
    return tmp_path / "models"


@pytest.fixture
def samples(models: Path) -> Samples:
    """The test split of `toy`."""
    return read_samples(models, "toy")


@pytest.fixture(scope="session")
def embedded_broker() -> Iterator[EmbeddedBroker]:
    """A broker in this process, without topics of its own."""
    with EmbeddedBroker() as broker:
        yield broker
