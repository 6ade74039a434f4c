"""`ounce policy estimate`: what another policy would have earned."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import click
import numpy as np
from ounce_edge.dry_run.chance_reader import ChanceReader, ReadChances, read_chances
from ounce_edge.dry_run.off_policy import Estimates, Interval, estimate
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.documents import TASK_FILE, read_task
from ounce_schemas.errors import PolicyError
from ounce_schemas.topics import labels_topic, predictions_topic
from ounce_schemas.wording import counted, table

from ounce_services.policies.number_range import NumberRange
from ounce_services.policies.options import (
    SourceSettings,
    decisions_option,
    models_option,
    open_recording,
    policy_option,
    read_document,
    tasks_option,
)
from ounce_services.policies.outcomes import (
    Headers,
    Rewards,
    read_answers,
    read_labels,
    rewards_of,
)

_Record = tuple[bytes | None, Headers]
_MOST_NAMED = 3


@click.command("estimate")
@policy_option
@decisions_option
@tasks_option
@click.option(
    "--answers",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of answers, one JSON document a line, instead of the predictions topic.",
)
@click.option(
    "--labels",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of labels, likewise, instead of the labels topic.",
)
@click.option(
    "--least-covered",
    type=NumberRange(0, 1, min_open=True),
    default=0.95,
    show_default=True,
    help="Refuse where the exploration covers less than this share of the messages.",
)
@models_option
@settings_options(SourceSettings)
def command(  # noqa: PLR0913
    file: Path,
    decisions: str,
    tasks: tuple[str, ...],
    answers: Path | None,
    labels: Path | None,
    least_covered: float,
    models: Path,
    **values: Any,
) -> None:
    """Estimate what another policy would have earned: deadlines kept, right answers and compute,
    from decisions that were recorded while workers explored, their answers and their labels. Says
    which plans the exploration lacks where an estimate is not possible.

    Example: ounce policy estimate --policy new.yaml --decisions decisions --kafka localhost:9092
    """
    settings = make_settings(SourceSettings, values)
    if answers is None and not settings.kafka:
        raise click.UsageError("give --kafka, or --answers and perhaps --labels")
    _, policy = read_document(file)
    recording = open_recording(decisions, settings)
    for task in tasks or recording.tasks():
        read, reader = read_chances(policy, recording, task)
        share = _require_covered(task, read, least_covered)
        given = read_answers(
            (v for v, _ in _records(answers, settings, predictions_topic(task))), task
        )
        known = read_labels(_records(labels, settings, labels_topic(task)))
        task_file = models / task / TASK_FILE
        tolerance = read_task(task_file).tolerance if task_file.is_file() else None
        rewards = rewards_of(read, given, known, tolerance)
        if np.isnan(rewards.deadline_met).all():
            raise PolicyError(
                f"task {task}: none of the {len(read.ids):,} recorded messages is among the "
                f"{counted(len(given), 'answer')} in {answers or predictions_topic(task)}; give "
                "the answers of the same time"
            )
        click.echo(f"{task}: {_summary(read, reader, share)}\n")
        click.echo(table(_rows(read, rewards)) + "\n")


def _records(file: Path | None, settings: SourceSettings, topic: str) -> Iterator[_Record]:
    """Values and headers, from a file or a topic; none where neither is given.

    Raises:
        PolicyError: the file can't be read.
    """
    if file is not None:
        try:
            with file.open("rb") as lines:
                yield from ((line, ()) for line in lines)
        except OSError as e:
            raise PolicyError(f"{file}: can't be read: {e.strerror or e}") from e
    elif settings.kafka:
        for message in settings.topic().read(topic):
            yield message.value(), cast("Headers", message.headers() or ())


def _require_covered(task: str, read: ReadChances, least: float) -> float:
    """Share of the messages for which the log could hold all that the other policy may do.

    Raises:
        PolicyError: it is too small.
    """
    share = float(read.logged.is_covered.mean())
    if share < least:
        lacking = [
            f"{plan} for {n / len(read.ids):.1%} of the messages"
            for plan, n in sorted(read.uncovered.items(), key=lambda item: -item[1])[:_MOST_NAMED]
        ]
        raise PolicyError(
            f"task {task}: the recorded policy covers {share:.1%} of the messages, {least:.1%} are "
            "asked for. The other policy also takes plans that the recorded one never tried there"
            f": {', '.join(lacking) or 'what it explores itself'}. Record with exploration that "
            "tries them, or look at `ounce policy replay`"
        )
    return share


def _summary(read: ReadChances, reader: ChanceReader, share: float) -> str:
    parts = [f"{counted(len(read.ids), 'message')}, {share:.1%} covered by what was explored"]
    if reader.n_in_parts:
        parts.append(
            f"probabilities are not exact for {reader.n_in_parts:,}, whose decisions left others "
            "waiting"
        )
    if reader.n_other:
        parts.append(
            f"{counted(reader.n_other, 'message was', 'messages were')} answered as no rule of "
            "today would"
        )
    return "; ".join(parts)


def _rows(read: ReadChances, rewards: Rewards) -> Sequence[Sequence[str]]:
    rows = [("", "messages", "worth", "as it was", "inverse propensity", "self-normalised",
             "doubly robust")]  # fmt: skip
    covered = read.logged.is_covered
    logged = read.logged.of(covered)
    for name, all_values, factor, unit in (
        ("deadlines kept", rewards.deadline_met, 100.0, "%"),
        ("right answers", rewards.right, 100.0, "%"),
        ("compute each, ms", rewards.cost_ms, 1.0, ""),
    ):
        values = all_values[covered]
        if (values == values).any():
            rows.append((name, *_row(estimate(logged, values), factor, unit)))
        else:
            rows.append((name, "0", "", "not known", "", "", ""))
    return rows


def _row(found: Estimates, factor: float, unit: str) -> tuple[str, str, str, str, str, str]:
    def shown(interval: Interval) -> str:
        value, low, high = (f"{factor * v:.4g}" for v in interval)
        return f"{value}{unit} ({low} to {high})"

    worth = f"{found.n_effective:,.0f}"
    if not found.is_enough:
        return f"{found.n:,}", worth, shown(found.as_it_was), "too few", "too few", "too few"
    estimates = (found.inverse_propensity, found.self_normalised, found.doubly_robust)
    return f"{found.n:,}", worth, shown(found.as_it_was), *map(shown, estimates)  # type: ignore[return-value]
