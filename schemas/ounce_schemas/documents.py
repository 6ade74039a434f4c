"""Reading documents from disk, with errors that name the file, the field and the value."""

import hashlib
from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import ValidationError

from ounce_schemas.advice import Advice
from ounce_schemas.bounded_yaml import MOST_BYTES, load_yaml, too_large
from ounce_schemas.card import ModelCard
from ounce_schemas.device import DeviceCard
from ounce_schemas.errors import ArtifactError, OunceError, PolicyError
from ounce_schemas.plans import LadderPlans
from ounce_schemas.policy import Policy
from ounce_schemas.refusals import describe, describe_made
from ounce_schemas.task import Document, TaskSpec
from ounce_schemas.topic_maps import TopicMapFile
from ounce_schemas.topic_names import TopicNames

D = TypeVar("D", bound=Document)

TASK_FILE = "task.json"
CARD_FILE = "card.json"
MODEL_FILE = "model.onnx"
EXPLANATION_FILE = "explanation.onnx"
"""Beside the model, where its card has an `explanation`."""
PLANS_FILE = "plans.json"
"""Beside `task.json`: what the plans of the ladder promise."""
TEST_SPLIT_FILE = "test-split.npz"
"""Beside `task.json`: one array per input tensor (first axis: items), and `targets`: int64 label
indices (classification) or float32 values (regression)."""
QUICK_FOLDER = "quick"
"""In the models folder: where ladders go that were trained in seconds, apart from the real ones."""


def read_task(path: Path) -> TaskSpec:
    """Read `task.json`.

    Raises:
        ArtifactError: absent, unreadable or invalid.
    """
    return _read(path, TaskSpec, ArtifactError)


def read_card(path: Path) -> ModelCard:
    """Read `card.json`.

    Raises:
        ArtifactError: absent, unreadable or invalid.
    """
    return _read(path, ModelCard, ArtifactError)


def read_model_card(folder: Path, task: TaskSpec) -> ModelCard:
    """Read `card.json` of a model's folder.

    Raises:
        ArtifactError: as `read_card` says; or it is the card of something else.
    """
    path = folder / CARD_FILE
    card = read_card(path)
    if (card.task, card.model) != (task.name, folder.name):
        raise ArtifactError(
            f"{path}: is the card of {card.task}/{card.model}, not of {task.name}/{folder.name}"
        )
    if not task.suits(card.inputs, card.output):
        raise ArtifactError(f"{path}: its signature is not the task's")
    if card.measure != task.measure:
        raise ArtifactError(
            f"{path}: promises {card.measure}, the task's measure is {task.measure}"
        )
    return card


def read_model(path: Path, sha256: str) -> bytes:
    """Read the file of a model, or of its explanation.

    Args:
        path: of the file.
        sha256: as its card says it.

    Raises:
        ArtifactError: absent, unreadable, or another file than the card is of.
    """
    try:
        content = path.read_bytes()
    except OSError as e:
        raise ArtifactError(f"{path}: can't be read: {e.strerror or e}") from e
    digest = hashlib.sha256(content).hexdigest()
    if digest != sha256:
        raise ArtifactError(
            f"{path}: sha256 {digest[:12]}… is not the card's {sha256[:12]}…: "
            "half copied? Copy or train it again"
        )
    return content


def read_plans(path: Path) -> LadderPlans:
    """Read `plans.json`.

    Raises:
        ArtifactError: absent, unreadable or invalid.
    """
    return _read(path, LadderPlans, ArtifactError)


def read_advice(path: Path) -> Advice:
    """Read `advice.json`.

    Raises:
        ArtifactError: absent, unreadable, invalid, or of another version.
    """
    return _read(path, Advice, ArtifactError, "`ounce advise` writes it anew")


def read_device(path: Path) -> DeviceCard:
    """Read what `ounce runtimes --card` wrote.

    Raises:
        ArtifactError: absent, unreadable, invalid, or of another version.
    """
    remedy = "write it anew on the device, with the version of Ounce that is here: "
    return _read(path, DeviceCard, ArtifactError, f"{remedy}ounce runtimes --card FILE")


def read_topic_maps(path: Path) -> TopicMapFile:
    """Read a gateway's map file, YAML or JSON.

    Raises:
        OunceError: absent, unreadable, too large or invalid.
    """
    return _parse(_bounded_text(path, OunceError), str(path), TopicMapFile, OunceError)


def read_topic_names(path: Path) -> TopicNames:
    """Read the file that says what topics are called, YAML or JSON.

    Raises:
        OunceError: absent, unreadable, too large or invalid.
    """
    return _parse(_bounded_text(path, OunceError), str(path), TopicNames, OunceError)


def read_policy(path: Path) -> Policy:
    """Read a policy file, YAML or JSON.

    Raises:
        PolicyError: absent, unreadable, too large or invalid.
    """
    return parse_policy(read_text(path), str(path))


def parse_policy(text: str, source: str) -> Policy:
    """A policy as YAML text, of which JSON is a part.

    Args:
        text: of the document.
        source: where it is from, for messages.

    Raises:
        PolicyError: too large or invalid.
    """
    return _parse(text, source, Policy, PolicyError)


def read_text(path: Path) -> str:
    """The text of a policy file.

    Raises:
        PolicyError: absent, unreadable or too large.
    """
    return _bounded_text(path, PolicyError)


def _bounded_text(path: Path, error: type[OunceError]) -> str:
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise error(f"{path}: {too_large(size)}")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise error(f"{path}: can't be read: {getattr(e, 'strerror', None) or e}") from e


def _read(path: Path, kind: type[D], error: type[OunceError], remedy: str = "") -> D:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise error(f"{path}: can't be read: {getattr(e, 'strerror', None) or e}") from e
    try:
        return kind.model_validate_json(text)
    except ValidationError as e:
        told = f"{describe(e, kind)}; {remedy}" if remedy else describe_made(e, kind)
        raise error(f"{path}: {told}") from e


def _parse(text: str, source: str, kind: type[D], error: type[OunceError]) -> D:
    try:
        document = load_yaml(text)
    except yaml.YAMLError as e:
        raise error(f"{source}: not valid YAML: {_fault(e)}") from e
    if not isinstance(document, dict):
        raise error(f"{source}: holds no fields: a line is NAME: VALUE")
    try:
        return kind.model_validate(document)
    except ValidationError as e:
        raise error(f"{source}: {describe(e, kind)}") from e


def _fault(error: yaml.YAMLError) -> str:
    """Where a text is no YAML, and why."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        return f"line {mark.line + 1}, column {mark.column + 1}: {error.problem}"
    return " ".join(str(error).split())
