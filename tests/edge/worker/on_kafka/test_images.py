"""A worker that serves images on a real Kafka: pixels, files, and letters for the rest."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from ounce_schemas.dead_letter import HEADER_REASON

from tests.exporters.tasks.image.pictures import SIDE, bar, file_of, write_folders
from tests.support.exporters.commands import trained
from tests.support.kafka.topics import OwnTopics
from tests.support.process.worker import PATIENT, Device
from tests.support.process.workers import Workers

pytestmark = pytest.mark.kafka

TASK = "bars"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network, trained by the real command on a folder for each class."""
    folder = tmp_path_factory.mktemp("models")
    images = write_folders(tmp_path_factory.mktemp("bars") / TASK, 24)
    return trained(folder, f"--data={images}", "--only=small-cnn", f"--image={SIDE}x{SIDE}")


def test_pixels_and_files_are_answered_and_what_is_none_gets_a_letter(
    topics: OwnTopics, workers: Workers, device: Device
) -> None:
    topics.of_task(TASK)
    pictures = {label: bar(label, np.random.default_rng(5)) for label in ("lying", "upright")}
    good = {}
    for label, pixels in pictures.items():
        large = np.kron(pixels, np.ones((30, 30), np.uint8))
        file = file_of(large)
        good |= {
            f"{label}-raw": pixels.tobytes(),
            f"{label}-png": file,
            f"{label}-jpeg": file_of(large, "JPEG"),
            f"{label}-base64": json.dumps({"image": base64.b64encode(file).decode()}).encode(),
        }
    bad = {
        "cut": file_of(np.kron(pictures["lying"], np.ones((30, 30), np.uint8)))[:-90],
        "claims": b"\x89PNG\r\n\x1a\nno image at all",
        "short": bytes(SIDE),
    }
    with workers():
        for name, body in {**good, **bad}.items():
            device.send(body, [("ce_id", name.encode()), PATIENT, ("ce_minaccuracy", b"0.5")])
        device.flush()
        device.read(len(good) + len(bad))
    answers = {answer.id: answer.outputs[0].data[0] for answer in device.answers()}
    assert answers == {name: name.partition("-")[0] for name in good}
    reasons = [dict(letter.headers() or [])[HEADER_REASON] for letter in device.dead_letters]
    assert sorted(reasons) == [b"unreadable-image", b"unreadable-image", b"wrong-length"]
