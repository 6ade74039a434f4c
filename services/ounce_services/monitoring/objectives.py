"""What workers promise, as `objectives.yaml` says it."""

from pathlib import Path
from typing import Annotated

import yaml
from ounce_schemas.errors import OunceError
from ounce_schemas.refusals import describe
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

OBJECTIVES = Path(__file__).with_name("objectives.yaml")
WINDOW = "$window"
FASTEST_BURN = 14.4
"""Times the budget, of the most urgent alert."""

Expression = Annotated[str, StringConstraints(pattern=r"\$window")]
Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]*$")]


class Objective(BaseModel):
    """One promise, and how its breaches are counted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    title: str
    description: str
    alert: Annotated[str, StringConstraints(pattern=r"^Ounce[A-Za-z]+$")]
    target: float = Field(gt=1 - 1 / FASTEST_BURN, lt=1)
    """Share of promises to keep. A lower one could not burn fast enough to page."""
    by: tuple[str, ...]
    """Labels of `errors` and `all`."""
    errors: Expression
    """Broken promises a second, over `$window`."""
    all: Expression
    """Promises a second, over `$window`."""

    @property
    def budget(self) -> float:
        """Share of promises that may be broken."""
        return round(1 - self.target, 12)

    def error_ratio(self, window: str) -> str:
        """Share of promises broken within a window, an expression. It has no series where nothing
        was promised: NaN would spoil averages over it."""
        errors, everything = (
            text.replace(WINDOW, window).strip() for text in (self.errors, self.all)
        )
        return f"({errors} or 0 * {everything}) / ({everything} > 0)"


class Objectives(BaseModel):
    """All promises."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    period_days: int = Field(gt=0)
    """Time that an error budget is for."""
    runbooks: str
    """Address of the page of runbooks."""
    objectives: tuple[Objective, ...] = Field(min_length=1)

    def runbook(self, alert: str) -> str:
        """Address of an alert's section."""
        return f"{self.runbooks}#{alert.lower()}"


def read_objectives(path: Path = OBJECTIVES) -> Objectives:
    """Read objectives.

    Raises:
        OunceError: the file can't be read, or says what can't be.
    """
    try:
        return Objectives.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")) or {})
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        why = getattr(e, "strerror", None) or " ".join(str(e).split())
        raise OunceError(f"{path}: can't read objectives: {why}") from e
    except ValidationError as e:
        raise OunceError(f"{path}: {describe(e, Objectives)}") from e
