"""Image files are read apart while models are isolated: a library may crash on a file, too."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError, Reason

from ounce_edge.models.runtimes.base import CrashedError
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.wire.formats.image_file import read_pixels


class IsolatedImages:
    """A `PixelReader`. In the worker itself while nothing is isolated.

    Args:
        isolation: of the models.
    """

    def __init__(self, isolation: Isolation) -> None:
        self._isolation = isolation

    def __call__(self, value: bytes, shape: Sequence[int]) -> NDArray[np.uint8]:
        """As `read_pixels`; a file that takes the process down can't be read."""
        try:
            found = self._isolation.call(pixels_or_why, value, tuple(shape))
        except CrashedError as e:
            raise InvalidMessageError(
                Reason.UNREADABLE_IMAGE, f"reading the image {e}; send it in another form"
            ) from None
        if isinstance(found, tuple):
            raise InvalidMessageError(*found)
        return found


def pixels_or_why(value: bytes, shape: Sequence[int]) -> NDArray[np.uint8] | tuple[Reason, str]:
    """As `read_pixels`; what is raised there is returned, since it comes from another process."""
    try:
        return read_pixels(value, shape)
    except InvalidMessageError as e:
        return e.reason, e.text
