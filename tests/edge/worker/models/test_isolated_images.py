"""While models are isolated, image files are read there, too: one that is fatal costs itself."""

import io
import os
from collections.abc import Iterator

import numpy as np
import pytest
from ounce_edge.models.runtimes.base import CrashedError
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.wire.formats.image_file import read_pixels
from ounce_edge.worker.models import isolated_images
from ounce_edge.worker.models.isolated_images import IsolatedImages
from ounce_schemas.errors import InvalidMessageError, Reason
from PIL import Image

from tests.support.edge import bad_runtime as bad
from tests.support.edge.apart import LIMITS

SHAPE = 4, 4, 3


@pytest.fixture
def isolation() -> Iterator[Isolation]:
    found = Isolation(bad.BadRuntime, LIMITS)
    yield found
    found.end()


def png() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.arange(192, dtype=np.uint8).reshape(8, 8, 3)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("is_on", [False, True])
def test_a_file_is_read_alike_here_and_there(isolation: Isolation, is_on: bool) -> None:
    if is_on:
        isolation.begin()
    read = IsolatedImages(isolation)
    assert np.array_equal(read(png(), SHAPE), read_pixels(png(), SHAPE))
    with pytest.raises(InvalidMessageError, match="the image is damaged or cut off") as raised:
        read(png()[:-30], SHAPE)
    assert raised.value.reason is Reason.UNREADABLE_IMAGE
    assert (isolation._child is not None) is is_on


def test_a_file_that_is_fatal_can_not_be_read_and_the_next_one_can(
    isolation: Isolation, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolation.begin()
    read = IsolatedImages(isolation)
    with monkeypatch.context() as library:
        library.setattr(isolated_images, "pixels_or_why", bad.crash)
        with pytest.raises(InvalidMessageError, match="took its process down") as raised:
            read(png(), SHAPE)
    assert raised.value.reason is Reason.UNREADABLE_IMAGE
    assert read(png(), SHAPE).shape == SHAPE


def test_a_call_that_ends_the_process_is_a_crash(isolation: Isolation) -> None:
    isolation.begin()
    with pytest.raises(CrashedError, match="ended with exit code 3"):
        isolation.call(os._exit, 3)
    assert isolation.call(max, 1, 2) == 2
    assert isolation.n_crashes == 1
