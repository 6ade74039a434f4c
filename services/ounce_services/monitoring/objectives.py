"""What workers promise, as `objectives.yaml` says it."""

from pathlib import Path
from typing import Annotated

import yaml
from ounce_schemas.errors import OunceError
from ounce_schemas.refusals import describe
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

OBJECTIVES = Path(__file__).with_name("objectives.yaml")
_WINDOW = "[$window]"
_LENGTH = "$seconds"
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_PRESENT = "5m"
"""Window of the present rate of promises."""
FASTEST_BURN = 14.4
"""Times the budget, of the most urgent alert."""

Expression = Annotated[str, StringConstraints(pattern=r"\[\$window\]")]
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
    least: int = Field(default=0, ge=0)
    """Promises that are broken before anybody is told; 0: where `errors` are no messages."""

    @property
    def budget(self) -> float:
        """Share of promises that may be broken."""
        return round(1 - self.target, 12)

    def broken(self, window: str) -> str:
        """Broken promises a second, over a window, an expression."""
        return f"{_over(self.errors, window)} or 0 * {_over(self.all, window)}"

    def promised(self, window: str) -> str:
        """Promises a second, over a window, an expression.

        Where there was nothing yet when the window began, as soon after Prometheus' first start,
        what is missing counts as promises kept, as many as now: else few broken ones would be a
        large share of the little that there is.
        """
        everything = _over(self.all, window)
        if window == _PRESENT:
            return everything
        present = _over(self.all, _PRESENT)
        before = _over(self.all, _PRESENT, f" offset {window}")
        return f"{everything} and {before} or {everything} > {present} or {present} or {everything}"


def seconds_of(window: str) -> int:
    """Length of a window such as 5m."""
    return int(window[:-1]) * _SECONDS[window[-1]]


def _over(text: str, window: str, offset: str = "") -> str:
    filled = text.replace(_WINDOW, f"[{window}]{offset}").replace(_LENGTH, str(seconds_of(window)))
    return f"({filled.strip()})"


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
