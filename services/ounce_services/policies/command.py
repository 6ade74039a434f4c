"""`ounce policy`: check, explain, replay and estimate it; its versions, canaries and shadows."""

import time
from pathlib import Path
from typing import Any

import click
from ounce_edge.dry_run.meeting import Message, choose, meet
from ounce_schemas.command import settings_options
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy import MAX_LATENCY_LIMIT_MS
from ounce_schemas.policy_history import Change, PolicyVersion
from ounce_schemas.topics import events_topic
from ounce_schemas.wording import counted

from ounce_services.policies.canary_command import command as canary_command
from ounce_services.policies.canary_state import refuse_second_canary
from ounce_services.policies.diffing import unified_diff
from ounce_services.policies.estimate_command import command as estimate_command
from ounce_services.policies.listing import history_table, silent_line, status_table
from ounce_services.policies.meeting_text import meeting_text
from ounce_services.policies.number_range import NumberRange
from ounce_services.policies.options import (
    TopicSettings,
    author_option,
    current_of,
    file_argument,
    hold_against,
    models_option,
    note_option,
    open_topic,
    read_document,
    show_findings,
)
from ounce_services.policies.replay_command import command as replay_command
from ounce_services.policies.shadow_command import command as shadow_command
from ounce_services.policies.status import read_statuses
from ounce_services.policies.topic import PolicyTopic

_base_option = click.option(
    "--base",
    type=click.IntRange(min=0),
    help="Refuse unless this version is in force now; 0: unless there is none.",
)


@click.group(name="policy")
def command() -> None:
    """Check a policy, see what it would do, and put versions of it in force.

    \b
    Examples:
      ounce policy check policy.yaml
      ounce policy apply policy.yaml --note "acme may wait" --kafka localhost:9092
      ounce policy rollback 6 --kafka localhost:9092
    """


command.add_command(replay_command)
command.add_command(estimate_command)
command.add_command(canary_command)
command.add_command(shadow_command)


@command.command("check")
@file_argument
@models_option
def check_command(file: Path, models: Path) -> int:
    """Say what is wrong with a policy: unknown models, rules that are never met, contradictions,
    targets that no plan meets by its card. Exits 1 where there is an error.

    Example: ounce policy check policy.yaml --models ./models
    """
    _, policy = read_document(file)
    findings, ladders = hold_against(models, policy)
    n_errors = show_findings(findings)
    alone = f"no ladder, only its own rules: {models} holds none"
    against = f"tasks {', '.join(ladders)}" if ladders else alone
    click.echo(
        f"{file}: {counted(n_errors, 'error')}, {counted(len(findings) - n_errors, 'warning')}; "
        f"checked against {against}"
    )
    return 1 if n_errors else 0


@command.command("explain")
@file_argument
@click.option("--task", required=True, help="Task of the message.")
@click.option("--device", help="Its device id: the key of its record.")
@click.option("--tenant", help="Its CloudEvents extension `tenant`.")
@click.option("--group", help="Its CloudEvents extension `group`.")
@click.option(
    "--extension",
    "extensions",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another CloudEvents extension of it; repeat for several.",
)
@click.option(
    "--max-latency-ms",
    type=NumberRange(0, MAX_LATENCY_LIMIT_MS, min_open=True),
    help="Deadline that it asks for.",
)
@click.option("--min-accuracy", type=NumberRange(0, 1), help="Floor that it asks for.")
@models_option
def explain_command(  # noqa: PLR0913
    file: Path,
    task: str,
    device: str | None,
    tenant: str | None,
    group: str | None,
    extensions: tuple[str, ...],
    max_latency_ms: float | None,
    min_accuracy: float | None,
    models: Path,
) -> None:
    """Say which rule a message meets, what holds for it, and which plan would answer it.

    Example: ounce policy explain policy.yaml --task digits --device line-7 --tenant acme
    """
    _, policy = read_document(file)
    named = dict(_parse_extension(text) for text in extensions)
    for name, value in (("tenant", tenant), ("group", group)):
        if value is not None:
            named[name] = value
    headers = {f"ce_{name}": value.encode() for name, value in named.items()}
    key = None if device is None else device.encode()
    message = Message(task, key, headers, max_latency_ms, min_accuracy)
    meeting = meet(policy, message, time.time() * 1e3)
    _, ladders = hold_against(models, policy)
    choice = choose(meeting, ladders[task]) if task in ladders else None
    click.echo(meeting_text(meeting, choice, models))


@command.command("diff")
@file_argument
@click.option("--version", type=click.IntRange(min=1), help="Not the current version, this one.")
@settings_options(TopicSettings)
def diff_command(file: Path, version: int | None, **values: Any) -> int:
    """Show how FILE differs from the version in force. Exits 1 where it does.

    Example: ounce policy diff policy.yaml --kafka localhost:9092
    """
    text, _ = read_document(file)
    topic = open_topic(values)
    before = current_of(topic) if version is None else topic.history().get(version)
    diff = unified_diff(before.document, text, before.name, str(file))
    click.echo(diff or f"{file} is {before.name}")
    return 1 if diff else 0


@command.command("apply")
@file_argument
@note_option
@author_option
@_base_option
@click.option("--force", is_flag=True, help="Also where the check finds errors.")
@models_option
@settings_options(TopicSettings)
def apply_command(
    file: Path,
    note: str,
    author: str,
    base: int | None,
    force: bool,
    models: Path,
    **values: Any,
) -> None:
    """Check FILE, and put it in force on all workers that follow the policies.

    Example: ounce policy apply policy.yaml --note "acme may wait" --kafka localhost:9092
    """
    text, policy = read_document(file)
    findings, _ = hold_against(models, policy)
    if show_findings(findings, err=True) and not force:
        raise PolicyError(f"{file}: not applied; mend the errors, or say --force")
    topic = open_topic(values)
    _append(topic, Change(text, author, note), base)


@command.command("rollback")
@click.argument("version", type=click.IntRange(min=1))
@note_option
@author_option
@_base_option
@settings_options(TopicSettings)
def rollback_command(version: int, note: str, author: str, base: int | None, **values: Any) -> None:
    """Put the policy of an earlier VERSION in force again, as a new version.

    Example: ounce policy rollback 6 --note "acme waits too long" --kafka localhost:9092
    """
    topic = open_topic(values)
    again = topic.history().get(version)
    _append(topic, Change(again.document, author, note, version), base)


@command.command("history")
@settings_options(TopicSettings)
def history_command(**values: Any) -> None:
    """List all versions, the newest first, which is in force.

    Example: ounce policy history --kafka localhost:9092
    """
    versions = open_topic(values).history().versions
    click.echo(history_table(versions.values()) if versions else "no version was applied yet")


@command.command("show")
@click.argument("version", type=click.IntRange(min=1), required=False)
@settings_options(TopicSettings)
def show_command(version: int | None, **values: Any) -> None:
    """Print the policy of a VERSION, or the one in force, as its author wrote it.

    Example: ounce policy show 6 --kafka localhost:9092 > policy.yaml
    """
    topic = open_topic(values)
    found = current_of(topic) if version is None else topic.history().get(version)
    click.echo(found.document, nl=not found.document.endswith("\n"))


@command.command("status")
@settings_options(TopicSettings)
def status_command(**values: Any) -> int:
    """Show which worker runs which version, as their events tell. Exits 1 where one that told
    anything since then does not run the version in force.

    Example: ounce policy status --kafka localhost:9092
    """
    topic = open_topic(values)
    current = current_of(topic)
    known = read_statuses(record.value() for record in topic.read(events_topic()))
    now_ms = time.time() * 1e3
    silent = [worker for worker in known if worker.is_silent(current, now_ms)]
    workers = [worker for worker in known if worker not in silent]
    click.echo(f"in force: {current.name} {current.summary()}\n")
    click.echo(status_table(workers, now_ms) if workers else "no worker told anything of it")
    if silent:
        click.echo(f"\n{silent_line(silent, current.name)}")
    return 1 if any(worker.version != current.name for worker in workers) else 0


def _append(topic: PolicyTopic, change: Change, base: int | None) -> None:
    history = topic.history()
    current = history.current
    number = 0 if current is None else current.number
    if base is not None and base != number:
        by = f" {current.summary()}" if current else ""
        raise PolicyError(f"version {number} is in force{by}, not {base}: nothing is applied")
    refuse_second_canary(topic, history, change)
    if current is not None and current.holds(change):
        click.echo(f"{current.name} is the same, nothing is applied")
        return
    version: PolicyVersion = topic.append(history, change)
    again = f", the policy of v{version.restores} again" if version.restores else ""
    click.echo(f"{version.name} is in force{again}")


def _parse_extension(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise click.UsageError(f"--extension {text!r} is not NAME=VALUE")
    return name.removeprefix("ce_"), value
