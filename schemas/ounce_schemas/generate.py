"""`ounce contracts`: the JSON Schemas and the AsyncAPI document, made from the code."""

import inspect
import json
from pathlib import Path
from typing import Any

import click
import msgspec
from pydantic import BaseModel

from ounce_schemas.advice import Advice
from ounce_schemas.asyncapi import asyncapi
from ounce_schemas.card import ModelCard
from ounce_schemas.device import DeviceCard
from ounce_schemas.event import OperationalEvent
from ounce_schemas.label import Label
from ounce_schemas.made_files import check_made_files
from ounce_schemas.plans import LadderPlans
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import Prediction
from ounce_schemas.release import InService, Release
from ounce_schemas.request import Request
from ounce_schemas.task import TaskSpec
from ounce_schemas.topic_maps import TopicMapFile
from ounce_schemas.topic_names import TopicNames

_DOCUMENTS: dict[str, type[BaseModel]] = {
    "advice": Advice,
    "card": ModelCard,
    "device": DeviceCard,
    "in-service": InService,
    "plans": LadderPlans,
    "policy": Policy,
    "release": Release,
    "task": TaskSpec,
    "topic-maps": TopicMapFile,
    "topic-names": TopicNames,
}
_MESSAGES: dict[str, type[msgspec.Struct]] = {
    "request": Request,
    "prediction": Prediction,
    "label": Label,
    "event": OperationalEvent,
}
_DIALECT = "https://json-schema.org/draft/2020-12/schema"


def contracts() -> dict[str, str]:
    """Every generated file: its name and its text."""
    files: dict[str, Any] = {"asyncapi.json": asyncapi()}
    for name, document in _DOCUMENTS.items():
        files[f"{name}.schema.json"] = {"$schema": _DIALECT, **document.model_json_schema()}
    for name, message in _MESSAGES.items():
        files[f"{name}.schema.json"] = {"$schema": _DIALECT, **msgspec.json.schema(message)}
    return {
        name: json.dumps(_tidy(content), indent=2, ensure_ascii=False) + "\n"
        for name, content in files.items()
    }


def _tidy(part: Any) -> Any:
    """Docstrings without their indentation, which differs between versions of Python."""
    if isinstance(part, dict):
        return {
            key: inspect.cleandoc(value)
            if key == "description" and isinstance(value, str)
            else _tidy(value)
            for key, value in part.items()
        }
    return [_tidy(item) for item in part] if isinstance(part, list) else part


@click.command("contracts")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("schemas/generated"),
    show_default=True,
    help="Folder to write to.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 1 if a file there differs.")
def command(out: Path, check: bool) -> None:
    """Write the JSON Schemas and the AsyncAPI document.

    Example: ounce contracts --check
    """
    files = contracts()
    if check:
        check_made_files({out / name: text for name, text in files.items()}, "ounce contracts")
        click.echo(f"{out}: {len(files)} files as the code says")
        return
    out.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (out / name).write_text(text, encoding="utf-8")
    click.echo(f"{out}: {len(files)} files written")
