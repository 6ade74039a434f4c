"""Options of `ounce advise`."""

from pathlib import Path
from typing import Any

from ounce_schemas.advice import Limits
from pydantic import Field

from ounce_exporters.tasks.table.settings import TABLE_OPTIONS, TableSettings

ADVISE_OPTIONS = {
    **{heading: names for heading, names in TABLE_OPTIONS.items() if heading != "Its models"},
    "Limits of a plan": (
        "max_latency_ms",
        "batch",
        "max_size_mb",
        "min_accuracy",
        "interpretable",
        "device",
    ),
}
"""Options by the heading that help shows them under."""


class AdviseSettings(TableSettings):
    """Options of `ounce advise`."""

    max_latency_ms: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Time that one call may take, on this machine or that of --device",
    )
    batch: int = Field(default=1, ge=1, le=256, description="Items of that call")
    max_size_mb: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="What the files of a plan may take together",
    )
    min_accuracy: float | None = Field(
        default=None, ge=0, le=1, description="What a plan has to reach of the measure"
    )
    interpretable: bool = Field(
        default=False, description="Only models that a person can read: lines, a tree, a glass box"
    )
    device: Path | None = Field(
        default=None,
        description="Card of the machine that will serve, from `ounce runtimes --card` there: "
        "latencies are scaled to it",
    )
    budget: float = Field(
        default=60.0,
        gt=0,
        allow_inf_nan=False,
        description="Nominal seconds of one core for the race: counted, not timed, so that the "
        "same seed gives the same advice",
    )
    out: Path = Field(default=Path("advice.json"), description="File to write")
    observe: Path | None = Field(
        default=None,
        description="Folder of decisions that a worker recorded (--decisions): says which models "
        "of --task never answer, which floors nothing meets, and what to train next",
    )

    @property
    def limits(self) -> Limits:
        """What a plan has to keep."""
        return Limits(
            max_latency_ms=self.max_latency_ms,
            batch=self.batch,
            max_size_mb=self.max_size_mb,
            min_accuracy=self.min_accuracy,
            interpretable=self.interpretable,
        )


def options_of(settings: TableSettings) -> dict[str, Any]:
    """Options of the table that differ from their defaults, as advice holds them."""
    names = set(TableSettings.model_fields) - {"models"}
    return settings.model_dump(mode="json", include=names, exclude_defaults=True)
