"""Releases name files in closed places only, and are known by their digest."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from ounce_schemas.errors import ArtifactError
from ounce_schemas.release import Release, read_in_service, read_release

DIGEST = "0" * 64


def release(*places: str) -> dict[str, Any]:
    files = [{"place": p, "sha256": DIGEST, "size_bytes": 1} for p in places]
    return {"task": "digits", "files": files, "created": "2026-01-01T00:00:00Z", "author": "a"}


def read(document: dict[str, Any]) -> Release:
    content = json.dumps(document).encode()
    return read_release(content, hashlib.sha256(content).hexdigest())


WHOLE = ("task.json", "mlp/card.json", "mlp/model.onnx")


def test_a_release_is_read_as_it_was_written() -> None:
    found = read(release(*WHOLE))
    assert list(found.models) == ["mlp"]
    assert found.size_bytes == 3
    content = found.to_bytes()
    assert read_release(content, hashlib.sha256(content).hexdigest()) == found
    assert found.created == datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    "place",
    [
        "../mlp/model.onnx",
        "../../etc/passwd",
        "/etc/passwd",
        "mlp/../../model.onnx",
        "mlp/sub/model.onnx",
        "..",
        "mlp/model.onnx\n",
        "C:\\model.onnx",
        ".hidden/model.onnx",
        "mlp/run.sh",
    ],
)
def test_a_place_that_leads_elsewhere_is_refused(place: str) -> None:
    with pytest.raises(ArtifactError, match=r"files\.3\.place"):
        read(release(*WHOLE, place))


@pytest.mark.parametrize(
    ("places", "text"),
    [
        (WHOLE[1:], r"it needs task\.json"),
        (WHOLE[:1], "one or more models"),
        (("task.json", "mlp/model.onnx"), "models with their cards"),
        ((*WHOLE, "task.json"), "listed twice"),
    ],
)
def test_a_release_that_is_not_whole_is_refused(places: tuple[str, ...], text: str) -> None:
    with pytest.raises(ArtifactError, match=text):
        read(release(*places))


def test_another_digest_is_refused() -> None:
    with pytest.raises(ArtifactError, match="it was changed"):
        read_release(b"{}", DIGEST)


SERVES = {"task": "digits", "release": DIGEST, "number": 1, "author": "a", "at_ms": 0}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"{half", "can't be read"),
        (json.dumps(SERVES | {"schema_version": 2}).encode(), r"schema_version: .*later version"),
        (json.dumps(SERVES | {"colour": 1}).encode(), r"colour: unknown field; a later version"),
        (b'{"task":"digits","release":"../..","number":1,"author":"a","at_ms":0}', "release"),
        (json.dumps(SERVES | {"task": "other"}).encode(), "is of task other"),
    ],
)
def test_a_record_that_says_something_else_is_refused(value: bytes, text: str) -> None:
    with pytest.raises(ArtifactError, match=text):
        read_in_service("digits", value)
