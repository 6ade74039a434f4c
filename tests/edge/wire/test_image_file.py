"""Image files: what becomes of every kind, and what is refused with a reason."""

import base64
import io
import json
import re
import struct
import sys
import zlib

import msgspec
import numpy as np
import pytest
from ounce_edge.wire.formats.image_file import (
    MOST_PIXELS,
    MOST_WHOLE,
    image_size,
    is_image_file,
    read_pixels,
)
from ounce_schemas.dead_letter import HEADER_REASON, HEADER_TEXT
from ounce_schemas.errors import InvalidMessageError, Reason
from ounce_schemas.prediction import Prediction
from ounce_schemas.task import TaskSpec, TensorSpec
from PIL import Image
from pydantic import ValidationError

from tests.exporters.tasks.image.pictures import file_of
from tests.support.edge.ladders import HEADER_RAW, FakeRecord, served
from tests.support.edge.pipelines import pipeline, process

SHAPE = (4, 6, 1)
TASK = TaskSpec(
    name="photos",
    kind="classification",
    description="dark or bright",
    inputs=(TensorSpec(name="image", datatype="UINT8", shape=SHAPE, minimum=0, maximum=255),),
    labels=("dark", "bright"),
)
RAMP = np.arange(24, dtype=np.uint8).reshape(4, 6) * 10


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)  # type: ignore[arg-type]
    return stream.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A file that claims a size, and holds few pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checked

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(99)))


def test_pixels_of_a_png_are_those_that_were_saved() -> None:
    assert read_pixels(file_of(RAMP), SHAPE)[:, :, 0].tolist() == RAMP.tolist()
    assert image_size(file_of(RAMP)) == SHAPE


def test_sixteen_bits_a_channel_become_eight() -> None:
    file = saved(Image.fromarray(RAMP.astype(np.uint16) * 257))
    assert read_pixels(file, SHAPE)[:, :, 0].tolist() == RAMP.tolist()
    assert image_size(file) == SHAPE


def test_grey_colour_cmyk_and_palettes_are_read_as_the_task_says() -> None:
    red = Image.new("RGB", (6, 4), (200, 0, 0))
    assert read_pixels(saved(red), (4, 6, 3))[0, 0].tolist() == [200, 0, 0]
    assert read_pixels(saved(red), SHAPE)[0, 0, 0] == 60  # its luminance
    assert read_pixels(file_of(RAMP), (4, 6, 3))[1, 2].tolist() == [80, 80, 80]
    assert read_pixels(saved(red.convert("P")), (4, 6, 3))[0, 0, 0] > 190
    cmyk = read_pixels(saved(red.convert("CMYK"), "JPEG", quality=95), (4, 6, 3))[0, 0]
    assert np.abs(cmyk.astype(int) - [200, 0, 0]).max() < 12
    assert image_size(saved(red)) == (4, 6, 3)


def test_what_is_transparent_becomes_white() -> None:
    clear = Image.new("RGBA", (6, 4), (10, 20, 30, 0))
    assert read_pixels(saved(clear), (4, 6, 3))[0, 0].tolist() == [255, 255, 255]


def test_a_photograph_is_turned_as_its_exif_note_says() -> None:
    upright = np.zeros((6, 4), np.uint8)
    upright[0] = 250  # its top
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    lying = Image.fromarray(np.rot90(upright))
    file = saved(lying, "JPEG", exif=exif.tobytes(), quality=95)
    found = read_pixels(file, (6, 4, 1))[:, :, 0]
    assert found[0].min() > 200
    assert found[2:].max() < 60
    assert image_size(file) == (6, 4, 1)


def test_a_large_photograph_is_read_at_a_fraction_and_keeps_its_shape() -> None:
    large = np.zeros((400, 600), np.uint8)
    large[:, 300:] = 240
    found = read_pixels(file_of(large, "JPEG"), SHAPE)[:, :, 0]
    assert found[:, :3].max() < 10
    assert found[:, 3:].min() > 230


@pytest.mark.parametrize(
    ("file", "reason", "text"),
    [
        (file_of(np.tile(RAMP, (40, 40)))[:-200], Reason.UNREADABLE_IMAGE, "damaged or cut off"),
        (file_of(np.tile(RAMP, (40, 40)), "JPEG")[:-300], Reason.UNREADABLE_IMAGE, "cut off"),
        (b"\x89PNG\r\n\x1a\n" + b"no image" * 9, Reason.UNREADABLE_IMAGE, "no PNG or JPEG"),
        (b"\xff\xd8\xff" + b"<html>", Reason.UNREADABLE_IMAGE, "no PNG or JPEG image is in"),
        (png_of_size(8_000, 6_000), Reason.TOO_LARGE, "8000 x 6000 pixels, and a PNG or prog"),
        (png_of_size(30_000, 30_000), Reason.TOO_LARGE, "a decompression bomb"),
        (png_of_size(10_500, 9_000), Reason.TOO_LARGE, "a decompression bomb, and it may have"),
    ],
    ids=["cut-png", "cut-jpeg", "no-png", "no-jpeg", "enormous", "bomb", "half-a-bomb"],
)  # fmt: skip
def test_what_can_t_be_read_is_refused_and_says_why(file: bytes, reason: Reason, text: str) -> None:
    with pytest.raises(InvalidMessageError, match=text) as caught:
        read_pixels(file, SHAPE)
    assert caught.value.reason is reason


def test_a_file_that_is_decoded_whole_is_bounded_and_a_photograph_is_not() -> None:
    """A large PNG of one colour has few bytes, and would make all other messages wait."""
    wide = Image.new("L", (MOST_WHOLE // 1000 + 1, 1000), 90)
    for file in (saved(wide), saved(wide, "JPEG", progressive=True)):
        with pytest.raises(InvalidMessageError, match=r"may have 4,000,000 pixels; send") as caught:
            read_pixels(file, SHAPE)
        assert caught.value.reason is Reason.TOO_LARGE
    assert (read_pixels(saved(wide, "JPEG"), SHAPE) == 90).all()
    assert (read_pixels(saved(wide), SHAPE, MOST_PIXELS) == 90).all()  # as training does


def test_a_task_of_large_images_takes_large_files() -> None:
    side = 1100
    file = saved(Image.new("L", (2 * side, 2 * side - 1), 90))
    assert (read_pixels(file, (side, side, 1)) == 90).all()
    with pytest.raises(InvalidMessageError, match=r"may have 4,840,000 pixels"):
        read_pixels(png_of_size(2 * side, 2 * side + 1), (side, side, 1))


def test_an_animated_image_is_refused() -> None:
    frames = [Image.fromarray(RAMP), Image.fromarray(RAMP + 5)]
    file = saved(frames[0], save_all=True, append_images=frames[1:])
    with pytest.raises(InvalidMessageError, match="holds 2 pictures; send one of them"):
        read_pixels(file, SHAPE)


def test_raw_pixels_that_begin_as_a_jpeg_file_are_pixels() -> None:
    raw = b"\xff\xd8\xff" + bytes(21)
    assert not is_image_file(raw, 24)
    assert is_image_file(raw, 784)
    assert is_image_file(raw[:22] + b"\xff\xd9", 24)


def bodies() -> dict[str, bytes]:
    nested = RAMP.tolist()
    tensor = {"name": "image", "shape": [1, *SHAPE], "datatype": "UINT8"}
    flat = RAMP.ravel().tolist()
    file = base64.b64encode(file_of(RAMP)).decode()
    return {
        "raw": RAMP.tobytes(),
        "file": file_of(RAMP),
        "v2": json.dumps({"inputs": [{**tensor, "data": flat}]}).encode(),
        "v2-nested": json.dumps({"inputs": [{**tensor, "data": nested}]}).encode(),
        "v2-int32": json.dumps(
            {"inputs": [{**tensor, "datatype": "INT32", "data": flat}]}
        ).encode(),
        "list": json.dumps(flat).encode(),
        "named": json.dumps({"image": flat}).encode(),
        "base64": json.dumps({"image": file, "id": "b"}).encode(),
        "csv": ",".join(map(str, flat)).encode(),
        "event": json.dumps({"specversion": "1.0", "id": "e", "data_base64": file}).encode(),
    }


def test_every_format_of_a_body_gives_the_model_the_same_pixels() -> None:
    seen = []

    def answer(inputs: dict[str, np.ndarray]) -> np.ndarray:  # type: ignore[type-arg]
        seen.append(inputs["image"])
        return np.tile(np.array([0.2, 0.8], np.float32), (len(inputs["image"]), 1))

    records = [FakeRecord(body, offset_=i) for i, body in enumerate(bodies().values())]
    model = served(TASK, "m", answer)
    published, _ = process(pipeline(model, task=TASK, min_accuracy=0), *records)
    topics = {topic for topic, *_ in published}
    assert topics == {"ounce.photos.predictions"}
    whole = np.concatenate(seen)
    assert whole.dtype == np.uint8
    assert len(whole) == len(records)
    assert (whole == RAMP[None, :, :, None]).all()


def test_raw_pixels_alone_take_the_fast_path() -> None:
    raw = [FakeRecord(RAMP.tobytes(), [HEADER_RAW], offset_=i) for i in range(3)]
    published, _ = process(pipeline(served(TASK, "m"), task=TASK, min_accuracy=0), *raw)
    assert len(published) == 3


@pytest.mark.parametrize(
    ("body", "reason", "text"),
    [
        (RAMP.tobytes()[:-1], "wrong-length", "24 bytes: 4 rows of 6 pixels of 1"),
        (b"GIF89a" + bytes(30), "wrong-length", "looks like a GIF image"),
        (png_of_size(30_000, 30_000), "too-large", "a decompression bomb"),
        (file_of(np.tile(RAMP, (9, 9)))[:-60], "unreadable-image", "damaged"),
        (json.dumps([*[1] * 23, 256]).encode(), "out-of-range", r"256, outside \[0, 255\]"),
        (json.dumps([*[1] * 23, 0.5]).encode(), "wrong-datatype", "whole numbers from 0 to 255"),
        (json.dumps([*[1] * 23, None]).encode(), "not-finite", "value 23 of input 'image' is nan"),
        (json.dumps({"image": "no base64!"}).encode(), "malformed-json", "`image` is no base64"),
        (b"x" * 700, "too-large", "max_body_bytes"),
    ],
    ids=["short", "gif", "bomb", "cut", "beyond", "half", "gap", "base64", "huge"],
)
def test_a_body_that_is_no_image_gets_a_letter(body: bytes, reason: str, text: str) -> None:
    records = [FakeRecord(body), FakeRecord(RAMP.tobytes(), offset_=8)]
    of_policy = {"min_accuracy": 0, "max_body_bytes": 600}
    published, _ = process(pipeline(served(TASK, "m"), task=TASK, **of_policy), *records)
    letter, answer = sorted(published, key=lambda record: record[0])
    assert (letter[0], answer[0]) == ("ounce.photos.dead-letters", "ounce.photos.predictions")
    headers = dict(letter[3])
    assert headers[HEADER_REASON].decode() == reason
    assert re.search(text, headers[HEADER_TEXT].decode())


def test_an_image_has_three_dimensions_and_stands_alone() -> None:
    with pytest.raises(ValidationError, match="an image has a height, a width"):
        TensorSpec(name="image", datatype="UINT8", shape=(4, 6))
    numbers = TensorSpec(name="input", datatype="FP32", shape=(1,))
    with pytest.raises(ValidationError, match="an image is the only input"):
        TaskSpec(**{**TASK.model_dump(), "inputs": (TASK.inputs[0], numbers)})


def test_the_answer_to_a_file_is_short() -> None:
    published, _ = process(
        pipeline(served(TASK, "m"), task=TASK, min_accuracy=0), FakeRecord(file_of(RAMP))
    )
    ((_, value, _, _),) = published
    assert value is not None
    found = msgspec.json.decode(value, type=Prediction)
    assert [output.name for output in found.outputs] == ["label", "confidence"]


def test_a_worker_without_pillow_takes_pixels_and_says_what_files_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = file_of(RAMP)
    monkeypatch.setitem(sys.modules, "PIL", None)
    records = [FakeRecord(file), FakeRecord(RAMP.tobytes(), offset_=8)]
    published, _ = process(pipeline(served(TASK, "m"), task=TASK, min_accuracy=0), *records)
    letter, answer = sorted(published, key=lambda record: record[0])
    assert answer[0] == "ounce.photos.predictions"
    headers = dict(letter[3])
    assert headers[HEADER_REASON] == b"unknown-content-type"
    assert b'pip install "ounce[images]"' in headers[HEADER_TEXT]
