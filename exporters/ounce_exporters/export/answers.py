"""A model's calibrated answers to the validation items: what cascades are planned with.

A model that was cross-fitted has learned from those items, so running it would not tell.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import ArtifactError

ANSWERS_FILE = "validation.npy"


def write_answers(folder: Path, answers: NDArray[np.float32]) -> None:
    """Write them beside the model, array of shape (n_items, output size).

    Raises:
        ArtifactError: the folder can't be written.
    """
    try:
        np.save(folder / ANSWERS_FILE, answers.astype(np.float32), allow_pickle=False)
    except OSError as e:
        raise ArtifactError(f"{folder / ANSWERS_FILE}: can't be written: {e.strerror or e}") from e


def read_answers(folder: Path, n_items: int) -> NDArray[np.float32]:
    """Read what `write_answers` wrote.

    Raises:
        ArtifactError: the file is absent or damaged, or holds answers to other items.
    """
    path = folder / ANSWERS_FILE
    try:
        answers: NDArray[np.float32] = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as e:
        raise ArtifactError(f"{path}: can't be read: {e}; train this model again") from e
    if answers.ndim != 2 or len(answers) != n_items:
        raise ArtifactError(
            f"{path}: holds answers of shape {list(answers.shape)} to {n_items} items; "
            "train this model again"
        )
    return answers
