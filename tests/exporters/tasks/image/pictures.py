"""Pictures of bars, drawn for tests: upright, lying, or none."""

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 12
LABELS = ("blank", "lying", "upright")


def bar(label: str, rng: np.random.Generator, side: int = SIDE) -> NDArray[np.uint8]:
    """Grey pixels, array of shape (side, side), with noise."""
    pixels = rng.normal(60, 12, (side, side))
    at, thick = rng.integers(side // 4, 3 * side // 4), max(2, side // 6)
    if label == "lying":
        pixels[at : at + thick, 1:-1] += 130
    elif label == "upright":
        pixels[1:-1, at : at + thick] += 130
    return pixels.clip(0, 255).astype(np.uint8)


def file_of(pixels: NDArray[np.uint8], kind: str = "PNG", **options: Any) -> bytes:
    """The pixels as an image file."""
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, kind, **options)
    return stream.getvalue()


def write_folders(folder: Path, n: int) -> Path:
    """A folder per class, each with so many files, PNG and JPEG in turn."""
    rng = np.random.default_rng(0)
    for label in LABELS:
        (folder / label).mkdir(parents=True)
        for i in range(n):
            kind = "PNG" if i % 2 else "JPEG"
            path = folder / label / f"{i}.{kind.lower()}"
            path.write_bytes(file_of(bar(label, rng, SIDE * (1 + i % 2)), kind))
    return folder
