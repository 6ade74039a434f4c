"""A release: what a store of models holds of one task at one time, and which release serves.

A store is a folder, wherever that is:

::

    blobs/<sha256>             the bytes of one file
    releases/<task>/<sha256>   a release, named by the digest of its own bytes
    signatures/<sha256>        the signature of the release of that digest

What is there never changes. The compacted topic `ounce.models` says which release of a task serves:
its key is the task's name.
"""

import hashlib
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, ValidationError, model_validator

from ounce_schemas.card import Sha256
from ounce_schemas.documents import CARD_FILE, EXPLANATION_FILE, MODEL_FILE, PLANS_FILE, TASK_FILE
from ounce_schemas.errors import ArtifactError
from ounce_schemas.refusals import describe_made
from ounce_schemas.task import Document, TaskName

MOST_RELEASE_BYTES = 1_000_000
"""Of a release itself: 4,000 files."""
SHORT = 12
"""Digits of a release's digest that people are shown."""
LATEST_MS = 253_402_300_799_999
"""The end of the year 9999, as far as dates go."""
_MOST_SHOWN = 80
"""Characters of a key that is no name of a task."""
_PLACE = (
    r"^(task\.json|plans\.json|[a-z0-9][a-z0-9-]{0,62}/(model\.onnx|card\.json|explanation\.onnx))$"
)
"""The only places there are: none leads out of the folder of a task."""


class ReleasedFile(Document):
    """One file of a release."""

    place: Annotated[str, Field(pattern=_PLACE)] = Field(
        description="Where it is in the task's folder"
    )
    sha256: Sha256
    size_bytes: int = Field(ge=0, le=100_000_000_000)


class Release(Document):
    """All models of one task, and their plans; immutable."""

    schema_version: Literal[1] = 1
    task: TaskName
    files: tuple[ReleasedFile, ...] = Field(max_length=4000)
    created: AwareDatetime
    author: str = Field(max_length=200)
    note: str = Field(default="", max_length=1000)
    parent: Sha256 | None = Field(
        default=None, description="The release that served when this one was made"
    )

    @property
    def models(self) -> dict[str, ReleasedFile]:
        """The model files, by name of the model, in order."""
        ends = f"/{MODEL_FILE}"
        return {f.place[: -len(ends)]: f for f in self.files if f.place.endswith(ends)}

    @property
    def size_bytes(self) -> int:
        """Of all its files."""
        return sum(f.size_bytes for f in self.files)

    def to_bytes(self) -> bytes:
        """The bytes that its digest and its signature are of."""
        return self.model_dump_json(exclude_none=True).encode()

    @model_validator(mode="after")
    def _check(self) -> Self:
        places = [f.place for f in self.files]
        if len(set(places)) != len(places):
            raise ValueError("a file is listed twice")
        without_card = [m for m in self.models if f"{m}/{CARD_FILE}" not in places]
        if TASK_FILE not in places or not self.models or without_card:
            raise ValueError(f"it needs {TASK_FILE}, and one or more models with their cards")
        return self


class InService(Document):
    """A record of `ounce.models`: this release of the task serves."""

    schema_version: Literal[1] = 1
    task: TaskName
    release: Sha256
    number: int = Field(ge=1, le=10**9, description="Counts what was put in service of the task")
    author: str = Field(max_length=200)
    at_ms: int = Field(ge=0, le=LATEST_MS, description="Milliseconds since 1970")


def read_release(content: bytes, digest: str) -> Release:
    """The release of a digest.

    Raises:
        ArtifactError: the content has another digest, or is no release.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise ArtifactError(f"release {digest[:12]}: its sha256 is {found[:12]}…: it was changed")
    try:
        return Release.model_validate_json(content)
    except ValidationError as e:
        raise ArtifactError(f"release {digest[:12]}: {describe_made(e)}") from e


def read_in_service(task: str, content: bytes) -> InService:
    """A record of the topic.

    Args:
        task: the record's key.
        content: its value.

    Raises:
        ArtifactError: it is none of this task.
    """
    try:
        found = InService.model_validate_json(content)
    except ValidationError as e:
        task = task[:_MOST_SHOWN]
        told = describe_made(e)
        raise ArtifactError(f"what is to serve of task {task} can't be read: {told}") from e
    if found.task != task:
        task = task[:_MOST_SHOWN]
        raise ArtifactError(f"what is to serve of task {task} is of task {found.task}")
    return found


def take_in_service(served: dict[str, InService], key: bytes | None, value: bytes | None) -> None:
    """Read on in the topic.

    Args:
        served: what serves of each task, by the records before; is kept up.
        key: of the next record.
        value: of the next record; None takes the task's release out of service.

    Raises:
        ArtifactError: the record is none of a task; it changes nothing.
    """
    task = (key or b"").decode(errors="replace")
    if value is None:
        served.pop(task, None)
    else:
        served[task] = read_in_service(task, value)


def blob_path(digest: str) -> str:
    """Place of a file's bytes in a store."""
    return f"blobs/{digest}"


def release_path(task: str, digest: str) -> str:
    """Place of a release."""
    return f"releases/{task}/{digest}"


def signature_path(digest: str) -> str:
    """Place of a release's signature."""
    return f"signatures/{digest}"


def served_places(model: str | None = None, *, explained: bool = False) -> tuple[str, ...]:
    """Files of a ladder that are released: those of a model, which may be explained, or those of
    the task beside them."""
    if model is None:
        return (TASK_FILE, PLANS_FILE)
    files = (CARD_FILE, MODEL_FILE, *([EXPLANATION_FILE] if explained else []))
    return tuple(f"{model}/{file}" for file in files)
