"""`ounce policy canary`: start, status, promote, stop."""

from pathlib import Path
from typing import Any

import click
from ounce_schemas.canary import Canary
from ounce_schemas.command import settings_options
from ounce_schemas.documents import parse_policy
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy_history import Change, PolicyVersion
from ounce_schemas.refusals import describe
from ounce_schemas.topics import canaries_topic
from pydantic import ValidationError

from ounce_services.policies.canary_state import (
    canary_state,
    evidence_table,
    refuse_second_canary,
)
from ounce_services.policies.model_trial import sides_of
from ounce_services.policies.number_range import NumberRange
from ounce_services.policies.options import (
    TopicSettings,
    author_option,
    current_of,
    hold_against,
    models_option,
    note_option,
    open_topic,
    read_document,
    show_findings,
)

_SHARE = NumberRange(0, 1, min_open=True, max_open=True)
_MARGIN = NumberRange(0, 1, max_open=True)
_FIELDS = Canary.model_fields


@click.group(name="canary")
def command() -> None:
    """Try a policy or a model on a share of the devices. It stops itself where it does worse.

    \b
    Examples:
      ounce policy canary start new.yaml --share 0.1 --kafka localhost:9092
      ounce policy canary start --model digits/small-cnn --share 0.1 --kafka localhost:9092
      ounce policy canary promote --kafka localhost:9092
    """


@command.command("start")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path), required=False)
@click.option("--model", metavar="TASK/MODEL", help="Not a policy, this model is on trial.")
@click.option("--share", type=_SHARE, required=True, help="Share of the devices.")
@click.option(
    "--margin",
    type=_MARGIN,
    default=_FIELDS["margin"].default,
    show_default=True,
    help="Missed deadlines, missed floors, errors: difference of shares that is permitted.",
)
@click.option(
    "--accuracy-margin",
    type=_MARGIN,
    default=_FIELDS["accuracy_margin"].default,
    show_default=True,
    help="Wrong answers, by labels: the same.",
)
@click.option(
    "--confidence",
    type=NumberRange(0.5, 1, max_open=True),
    default=_FIELDS["confidence"].default,
    show_default=True,
    help="Least probability that a canary which is no worse is never stopped.",
)
@note_option
@author_option
@models_option
@settings_options(TopicSettings)
def start_command(  # noqa: PLR0913
    file: Path | None,
    model: str | None,
    share: float,
    margin: float,
    accuracy_margin: float,
    confidence: float,
    note: str,
    author: str,
    models: Path,
    **values: Any,
) -> None:
    """Put FILE on trial, or a model: a share of the devices has it, all others what is in force.

    Example: ounce policy canary start new.yaml --share 0.1 --kafka localhost:9092
    """
    if (file is None) is (model is None):
        raise click.UsageError("name either a FILE or --model TASK/MODEL")
    text = None if file is None else read_document(file)[0]
    canary = _make_canary(text or "", share, margin, accuracy_margin, confidence)
    topic = open_topic(values)
    current = current_of(topic)
    history = topic.history()
    refuse_second_canary(topic, history)
    baseline = current.document
    if model is not None:
        baseline, on_trial = sides_of(baseline, _checked_name(model))
        canary = canary.model_copy(update={"document": on_trial})
    found = dict.fromkeys(  # what both policies share is told once
        finding
        for document in (baseline, canary.document)
        for finding in hold_against(models, parse_policy(document, str(file or model)))[0]
    )
    if show_findings([*found], err=True):
        raise PolicyError(f"{file or model}: not started; mend the errors")
    topic.make_topics([canaries_topic()])
    version = topic.append(history, Change(baseline, author, note, canary=canary))
    click.echo(f"{version.name} has {file or model} on trial, on {share:.1%} of the devices")


@command.command("status")
@settings_options(TopicSettings)
def status_command(**values: Any) -> int:
    """Show what workers saw of the canary. Exits 1 where it stopped itself.

    Example: ounce policy canary status --kafka localhost:9092
    """
    topic = open_topic(values)
    version, canary = _canary_of(current_of(topic))
    state = canary_state(topic, version.id)
    click.echo(f"{version.name} {version.summary()}: {canary.share:.1%} of the devices\n")
    click.echo(evidence_table(canary, state) if state.seen else "no worker saw both policies yet")
    if state.stop is not None:
        click.echo(f"\nstopped: {state.stop.reason}")
    return 0 if state.stop is None else 1


@command.command("promote")
@click.option("--force", is_flag=True, help="Also where it stopped itself.")
@note_option
@author_option
@settings_options(TopicSettings)
def promote_command(force: bool, note: str, author: str, **values: Any) -> None:
    """Put what is on trial in force for all devices.

    Example: ounce policy canary promote --note "as good, and cheaper" --kafka localhost:9092
    """
    topic = open_topic(values)
    version, canary = _canary_of(current_of(topic))
    stop = canary_state(topic, version.id).stop
    if stop is not None and not force:
        raise PolicyError(f"it stopped itself: {stop.reason}; not promoted without --force")
    note = note or f"the canary of {version.name}"
    _end(values, version, Change(canary.document, author, note, promotes=version.number))


@command.command("stop")
@note_option
@author_option
@settings_options(TopicSettings)
def stop_command(note: str, author: str, **values: Any) -> None:
    """End the trial: all devices have what the others had.

    Example: ounce policy canary stop --kafka localhost:9092
    """
    version, _ = _canary_of(current_of(open_topic(values)))
    _end(values, version, Change(version.document, author, note or "without the canary"))


def _end(values: Any, version: PolicyVersion, change: Change) -> None:
    topic = open_topic(values)
    history = topic.history()
    if history.current != version:
        raise PolicyError(
            f"{version.name} is not in force any more: look at `ounce policy history`"
        )
    ended = topic.append(history, change)
    click.echo(f"{ended.name} is in force for all devices")


def _canary_of(version: PolicyVersion) -> tuple[PolicyVersion, Canary]:
    if version.canary is None:
        raise PolicyError(f"{version.name} has no canary: `ounce policy canary start`")
    return version, version.canary


def _make_canary(
    document: str, share: float, margin: float, accuracy_margin: float, confidence: float
) -> Canary:
    try:
        return Canary(
            document=document,
            share=share,
            margin=margin,
            accuracy_margin=accuracy_margin,
            confidence=confidence,
        )
    except ValidationError as e:  # of what is no number
        raise click.UsageError(describe(e)) from e


def _checked_name(text: str) -> str:
    task, slash, model = text.partition("/")
    if not (task and slash and model):
        raise click.UsageError(f"--model {text!r} is not TASK/MODEL")
    return text
