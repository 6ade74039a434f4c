"""PNG and JPEG files as pixels of a task's size. Training and serving read them alike.

A photograph is turned as its EXIF note says. Several bits a channel become 8, a palette and CMYK
become RGB, and what is transparent becomes white. The picture is then stretched to the task's size.
"""

import io
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.errors import InvalidMessageError, Reason

PixelReader = Callable[[bytes, Sequence[int]], NDArray[np.uint8]]
"""Called as `read_pixels`."""
MOST_PIXELS = 40_000_000
"""Of a file; a photograph has some 12 million. More could fill the worker's memory."""
MOST_WHOLE = 4_000_000
"""Of a file that is decoded whole: a PNG, or a progressive JPEG. That takes some 0.1 s, and other
messages wait. Other JPEG files are decoded at a fraction of their size."""
_TIMES_TASK = 4
"""A file that is decoded whole may be larger where the task's own images are: so many times."""
_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG, _JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
_FORMATS = ("PNG", "JPEG")
_ORIENTATION, _TURNED = 0x0112, 5
"""EXIF tag; from this value on the sides change places."""


def is_image_file(value: bytes, raw_bytes: int | None) -> bool:
    """Whether a body is a file and no raw pixels.

    Args:
        value: the body.
        raw_bytes: of raw pixels, which may begin as JPEG files do, but hardly end so, too.
    """
    if value.startswith(_JPEG):
        return len(value) != raw_bytes or value.endswith(_JPEG_END)
    return value.startswith(_PNG)


def read_pixels(
    value: bytes, shape: Sequence[int], most_whole: int = MOST_WHOLE
) -> NDArray[np.uint8]:
    """The pixels of a file.

    Args:
        value: the file.
        shape: height, width and channels (1: grey, 3: red, green and blue) that it becomes.
        most_whole: pixels of a file that is decoded whole; at least four times the shape's.

    Returns:
        Array of that shape.

    Raises:
        InvalidMessageError: it can't be read, holds several pictures, or is too large.
    """
    height, width, channels = shape
    image = _opened(value)
    if image.format == "PNG" and getattr(image, "is_animated", False):
        raise _unreadable(f"the PNG file holds {image.n_frames} pictures; send one of them")
    is_whole = image.format == "PNG" or "progressive" in image.info
    most = max(most_whole, _TIMES_TASK * height * width) if is_whole else MOST_PIXELS
    if image.width * image.height > min(most, MOST_PIXELS):
        raise _too_large(
            f"{image.width} x {image.height} pixels", min(most, MOST_PIXELS), is_whole=is_whole
        )
    try:
        image.draft(None, (max(width, height),) * 2)  # a large JPEG is read at a fraction
        image = _pillow("ImageOps").exif_transpose(image)
        image = _of_8_bits(image).convert("L" if channels == 1 else "RGB")
        # An average of what each pixel covers, so that thin lines stay.
        image = image.resize((width, height), resample=_pillow("Image").Resampling.BOX)
    except Exception as e:  # Pillow raises many types for damaged files
        raise _unreadable(f"the image is damaged or cut off: {' '.join(str(e).split())}") from None
    return np.asarray(image, np.uint8).reshape(height, width, channels)


def image_size(value: bytes) -> tuple[int, int, int]:
    """Height, width and channels (1 or 3) of a file, from its header; turned as EXIF says.

    Raises:
        InvalidMessageError: it can't be read.
    """
    image = _opened(value)
    try:
        turned = image.getexif().get(_ORIENTATION, 1) >= _TURNED
    except Exception as e:  # as above
        raise _unreadable(f"the image's EXIF note can't be read: {e}") from None
    width, height = image.size[::-1] if turned else image.size
    return height, width, 1 if image.mode in ("1", "L", "LA") or image.mode.startswith("I") else 3


def _opened(value: bytes) -> Any:
    pillow = _pillow("Image")
    try:
        return pillow.open(io.BytesIO(value), formats=_FORMATS)
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning):
        raise _too_large("a decompression bomb") from None
    except Exception as e:  # Pillow raises many types for what only claims to be an image
        reason = " ".join(str(e).split()) if not isinstance(e, OSError) else "no header is found"
        raise _unreadable(f"no PNG or JPEG image is in the file: {reason}") from None


def _of_8_bits(image: Any) -> Any:
    """Without transparency, and with 8 bits a channel."""
    if image.mode.startswith("I"):
        grey = np.asarray(image, np.int64)
        return _pillow("Image").fromarray((grey >> 8).clip(0, 255).astype(np.uint8))
    if "A" in image.getbands() or "transparency" in image.info:
        image = image.convert("RGBA")
        white = _pillow("Image").new("RGBA", image.size, "white")
        return _pillow("Image").alpha_composite(white, image).convert("RGB")
    return image


def _pillow(name: str) -> Any:
    """A module of Pillow, which only tasks of images need.

    Raises:
        InvalidMessageError: it is not installed.
    """
    try:
        from PIL import Image, ImageOps
    except ModuleNotFoundError as e:
        raise InvalidMessageError(
            Reason.UNKNOWN_CONTENT_TYPE,
            'this worker reads pixels alone; to read image files: pip install "ounce[images]"',
        ) from e
    return {"Image": Image, "ImageOps": ImageOps}[name]


def _unreadable(text: str) -> InvalidMessageError:
    return InvalidMessageError(Reason.UNREADABLE_IMAGE, text)


def _too_large(
    what: str, most: int = MOST_PIXELS, *, is_whole: bool = False
) -> InvalidMessageError:
    kind = "a PNG or progressive JPEG file" if is_whole else "it"
    return InvalidMessageError(
        Reason.TOO_LARGE,
        f"the image is {what}, and {kind} may have {most:,} pixels; send it smaller",
    )
