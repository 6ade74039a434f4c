"""`ounce dead-letters`: list, show and replay what could not be served."""

import shutil
from pathlib import Path
from typing import Any

import click
import msgspec
from ounce_schemas.command import make_settings, settings_options
from ounce_schemas.errors import Reason
from ounce_schemas.wording import counted

from ounce_services.dead_letters.detail import detail
from ounce_services.dead_letters.index import Index
from ounce_services.dead_letters.letter import Mark, Position, read
from ounce_services.dead_letters.listing import Entry, Newest, entries_table, summary
from ounce_services.dead_letters.mending import Fix
from ounce_services.dead_letters.options import (
    TaskArgument,
    TopicSettings,
    parse_header,
    parse_since_ms,
    parsed,
)
from ounce_services.dead_letters.progress import progress
from ounce_services.dead_letters.replaying import Selection, replay
from ounce_services.dead_letters.topic import DeadLetterTopic

_TABLE_LIMIT = 100
_PIPE_WIDTH = 160
"""Characters of a table's lines where no terminal says how many it shows."""

_reason_option = click.option(
    "--reason",
    "reasons",
    multiple=True,
    metavar="REASON",
    type=click.Choice([str(reason) for reason in Reason]),
    help="Only those of this reason, for example wrong-length; repeat for several.",
)


@click.group(name="dead-letters")
def command() -> None:
    """List, show and replay what the workers of a task could not serve.

    \b
    Examples:
      ounce dead-letters list digits --kafka localhost:9092
      ounce dead-letters show digits 0:12 --kafka localhost:9092
      ounce dead-letters replay digits 0:12 --value fixed.json --kafka localhost:9092
    """


@command.command("list")
@click.argument("task")
@_reason_option
@click.option(
    "--since",
    metavar="DURATION|TIME",
    callback=parsed(parse_since_ms),
    help="Only those since then: 10m, or an ISO time (UTC).",
)
@click.option(
    "--limit",
    type=click.IntRange(min=0),
    metavar="N",
    help=f"Only the newest N; 0: all.  [default: {_TABLE_LIMIT}; with --json all]",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per line, for scripts.")
@settings_options(TopicSettings)
def list_command(
    task: str,
    reasons: tuple[str, ...],
    since: int | None,
    limit: int | None,
    as_json: bool,
    **values: Any,
) -> int:
    """List the dead letters of TASK, oldest first, and count them by reason.

    \b
    Examples:
      ounce dead-letters list digits --kafka localhost:9092
      ounce dead-letters list digits --reason wrong-length --since 10m --kafka localhost:9092
      ounce dead-letters list digits --json --kafka localhost:9092 | jq -r .text
    """
    if limit is None:
        limit = 0 if as_json else _TABLE_LIMIT
    index, newest = Index(), Newest(limit)
    unwanted = 0
    with _open(task, values) as topic:
        starts = topic.starts(since)
        with progress("reading", topic.count(starts)) as on_read:
            for record in topic.scan(starts, on_read):
                found = read(record)
                if not isinstance(found, Mark):
                    reason = None if found is None else found.reason
                    is_new = since is None or record.timestamp_ms >= since
                    if not is_new or (reasons and reason not in reasons):
                        unwanted += found is not None
                        continue
                    newest.add(record.position, Entry.of(record, found))
                index.add(found)
    if as_json:
        for entry in newest.entries(index):
            click.echo(msgspec.json.encode(entry))
    else:
        if newest.seen:
            width = shutil.get_terminal_size((_PIPE_WIDTH, 0)).columns
            click.echo(entries_table(list(newest.entries(index)), width) + "\n")
        others = f" like that, {counted(unwanted, 'other')}" if unwanted and not newest.seen else ""
        click.echo(f"{summary(index.counts(), index.foreign)}{others}")
    if limit and newest.seen > limit:
        click.echo(f"the newest {limit:,} are shown; --limit 0 shows all", err=True)
    return 0


@command.command("show")
@click.argument("task")
@click.argument("position", callback=parsed(Position.parse), metavar="PARTITION:OFFSET")
@click.option("--raw", is_flag=True, help="Write the body's bytes to standard output, and no more.")
@settings_options(TopicSettings)
def show_command(task: str, position: Position, raw: bool, **values: Any) -> int:
    """Show everything of one dead letter of TASK.

    \b
    Examples:
      ounce dead-letters show digits 0:12 --kafka localhost:9092
      ounce dead-letters show digits 0:12 --raw --kafka localhost:9092 > body
    """
    with _open(task, values) as topic:
        record = topic.record_at(position)
        if raw:
            click.echo(record.value or b"", nl=False)
            return 0
        index = Index()
        starts = {position.partition: position.offset}
        with progress("looking for a mark", topic.count(starts)) as on_read:
            for behind in topic.scan(starts, on_read):
                index.add(read(behind))
    for line in detail(record, index.replayed_at_ms(position)):
        click.echo(line)
    return 0


@command.command("replay")
@click.argument("task")
@click.argument(
    "positions", nargs=-1, callback=parsed(Position.parse), metavar="[PARTITION:OFFSET]..."
)
@_reason_option
@click.option("--all", "everything", is_flag=True, help="All that were not replayed yet.")
@click.option(
    "--value",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Send this body instead; for one position only.",
)
@click.option(
    "--set-header",
    "set_headers",
    multiple=True,
    metavar="NAME=VALUE",
    callback=parsed(parse_header),
    help="Set a header of what is sent; repeat for several.",
)
@click.option(
    "--drop-header",
    "drop_headers",
    multiple=True,
    metavar="NAME",
    help="Leave out a header; repeat for several.",
)
@click.option("--again", is_flag=True, help="Also those that were replayed before.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@click.option("--dry-run", is_flag=True, help="Send nothing; say what would be sent.")
@settings_options(TopicSettings)
def replay_command(  # noqa: PLR0913
    task: str,
    positions: tuple[Position, ...],
    reasons: tuple[str, ...],
    everything: bool,
    value: Path | None,
    set_headers: tuple[tuple[str, str], ...],
    drop_headers: tuple[str, ...],
    again: bool,
    yes: bool,
    dry_run: bool,
    **values: Any,
) -> int:
    """Send dead letters of TASK back to its requests topic, as they came or mended.

    Key, value, headers, partition and id stay what they were. A record that brought no id gets the
    one that it was known by, <topic>-<partition>-<offset> of its first position, as ce_id. The
    deadline counts from now. Each goes once: what was replayed is marked in the dead-letters topic,
    and passed over from then on. Run one replay of a task at a time.

    Exits with 0 when all were sent and the broker holds them, with 1 when one was not.

    \b
    Examples:
      ounce dead-letters replay digits --all --dry-run --kafka localhost:9092
      ounce dead-letters replay digits --reason model-failed --yes --kafka localhost:9092
      ounce dead-letters replay digits 0:12 --value fixed.json --kafka localhost:9092
      ounce dead-letters replay digits --reason unknown-content-type \\
        --set-header content-type=application/json --kafka localhost:9092
    """
    if bool(positions) + bool(reasons) + everything != 1:
        raise click.UsageError("say which: PARTITION:OFFSET, or --reason, or --all")
    if value is not None and len(set(positions)) != 1:
        raise click.UsageError("--value is for exactly one PARTITION:OFFSET")
    try:
        body = None if value is None else value.read_bytes()
    except OSError as e:
        raise click.UsageError(f"--value {value}: can't be read: {e}") from e
    fix = Fix(body, set_headers, frozenset(drop_headers))
    selection = Selection(tuple(dict.fromkeys(positions)), frozenset(reasons), again)
    with _open(task, values) as topic:
        return replay(topic, selection, fix, yes=yes, dry_run=dry_run)


def _open(task: str, values: dict[str, Any]) -> DeadLetterTopic:
    task = make_settings(TaskArgument, {"task": task}).task
    settings = make_settings(TopicSettings, values)
    return DeadLetterTopic(settings.kafka, task, settings.kafka_timeout_s, settings.security)
