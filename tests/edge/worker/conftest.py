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
def workers(kafka: str, digits_models: Path, tmp_path: Path, consumer_group: str) -> Workers:
    """Starts workers of this test's group."""
    return Workers(kafka, digits_models, tmp_path, consumer_group)
