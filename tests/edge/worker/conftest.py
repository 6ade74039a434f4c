"""Fixtures of the worker's tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support.process.workers import Workers


@pytest.fixture
def split(digits_models: Path) -> Any:
    """Inputs, float32 of shape (n, 64), and classes of the test split of digits."""
    with np.load(digits_models / "digits" / "test-split.npz") as arrays:
        return arrays["input"].astype("<f4"), arrays["targets"]


@pytest.fixture
def workers(
    kafka: str, tmp_path: Path, consumer_group: str, request: pytest.FixtureRequest
) -> Workers:
    """Starts workers of this test's group: of digits, or of the `TASK` of the test's module, which
    has `models` of its own then."""
    task = getattr(request.module, "TASK", "digits")
    models = request.getfixturevalue("digits_models" if task == "digits" else "models")
    return Workers(kafka, models, tmp_path, consumer_group, task)
