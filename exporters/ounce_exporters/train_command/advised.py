"""From advice to training: what `ounce train --advice` builds, and that it is of the same data."""

from pathlib import Path

import click
from ounce_schemas.advice import Advice, Verdict
from ounce_schemas.documents import read_advice
from ounce_schemas.errors import ArtifactError, DataError
from ounce_schemas.refusals import describe
from pydantic import ValidationError

from ounce_exporters.train_command.settings import TrainSettings

_OF_TRAINING = ("models", "data", "report", "advice", "resume", "keep_lighter")
"""Options of `ounce train` that may stand beside --advice: where files are, whether to go on, and
whether models have other forms."""


def advised_settings(settings: TrainSettings, typed: list[str]) -> tuple[TrainSettings, Advice]:
    """The settings of a training that builds what was advised.

    Args:
        settings: with the advice's file.
        typed: names of options that stand on the command line.

    Raises:
        click.UsageError: an option says what the advice says.
        ArtifactError: the file is no advice, or advises nothing.
    """
    path = settings.advice
    assert path is not None
    advice = read_advice(path)
    others = sorted(set(typed) - set(_OF_TRAINING))
    if others:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in others)
        raise click.UsageError(f"{options}: --advice says that; leave it out")
    if advice.decision.plan is None:
        raise ArtifactError(f"{path}: it advises to build nothing")
    given = {name: getattr(settings, name) for name in _OF_TRAINING if name in typed}
    try:
        made = TrainSettings.model_validate(
            {
                **advice.options,
                **given,
                "models": settings.models,
                "seed": advice.seed,
                "only": advice.decision.plan.models,
                "advice": path,
            }
        )
    except ValidationError as e:
        raise ArtifactError(f"{path}: options: {describe(e)}") from e
    return made, advice


def caveat(advice: Advice) -> str | None:
    """What to know before a plan that keeps no limit, or is worth little, is built."""
    if advice.decision.verdict is not Verdict.NEITHER_YET:
        return None
    why = "; ".join(advice.decision.missed)
    return f"the advice is to build nothing yet; this is the nearest plan: {why}"


def check_same_data(path: Path, advice: Advice, sha256: str) -> None:
    """Refuse to build what was advised of other data.

    Raises:
        DataError: the rows differ.
    """
    if sha256 != advice.data_sha256:
        raise DataError(
            f"{path}: the advice is of other rows than the table has (sha256 "
            f"{advice.data_sha256[:12]}, not {sha256[:12]}): run ounce advise again"
        )
