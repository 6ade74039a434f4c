"""Options of `ounce add`."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field


class AddSettings(BaseModel):
    """Options of `ounce add`."""

    task: str = Field(description="Task whose ladder the model joins")
    models: Path = Field(default=Path("models"), description="Folder of all tasks' models")
    data: Path | None = Field(
        default=None,
        description="Table of rows that no model has seen: it judges the whole ladder. Where the "
        "task has no ladder yet, the task is made of it",
    )
    target: str | None = Field(default=None, description="Column of the table to predict")
    by: str | None = Field(
        default=None,
        description="Column of --data by whose values figures are told apart, with intervals; "
        "default: the column of the ladder",
    )
    name: str | None = Field(
        default=None, description="Name of the model in the ladder; default: the file's name"
    )
    output: str | None = Field(default=None, description="Output that answers, where several might")
    label: tuple[str, ...] = Field(
        default=(),
        description="Label of the output's first column, then of the next (is repeated); default: "
        "what the file says, or the task's order",
    )
    family: Literal["classical", "neural"] | None = Field(
        default=None, description="Default: classical where it has operators of classical models"
    )
