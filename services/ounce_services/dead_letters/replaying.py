"""Replaying: which dead letters, asking, sending, and telling what became of each."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

import click
from ounce_schemas.errors import OunceError
from ounce_schemas.topics import labels_topic, requests_topic

from ounce_services.cluster.admin import require_topics
from ounce_services.dead_letters.display import one_line, utc
from ounce_services.dead_letters.index import Count, Index
from ounce_services.dead_letters.letter import DeadLetter, Position, read, read_letter
from ounce_services.dead_letters.listing import letters, summary
from ounce_services.dead_letters.mending import Fix, Request, make_request
from ounce_services.dead_letters.progress import progress
from ounce_services.dead_letters.sending import Outcome, Sender
from ounce_services.dead_letters.topic import DeadLetterTopic
from ounce_services.process.stopping import stop_on_signals

_MOST_LINES = 20
"""Dead letters that are told of one by one."""


@dataclass(frozen=True)
class Selection:
    """Which dead letters to replay: some positions, or some reasons; neither: all."""

    positions: tuple[Position, ...] = ()
    reasons: frozenset[str] = frozenset()
    again: bool = False
    """Also those that were replayed before."""

    def wants(self, letter: DeadLetter) -> bool:
        """Whether a dead letter is among them."""
        if self.positions:
            return letter.record.position in self.positions
        return not self.reasons or letter.reason in self.reasons


def replay(
    topic: DeadLetterTopic, selection: Selection, fix: Fix, *, yes: bool, dry_run: bool
) -> int:
    """Replay what is selected; the exit code.

    Raises:
        OunceError: Kafka lacks something, a position can't exist, or nobody agreed.
    """
    require_topics(topic.cluster, topic.task, [requests_topic(topic.task)])
    index = look(topic, selection)
    chosen = index.offsets(replayed=selection.again)
    n_passed_over = _tell_passed_over(topic, selection, index, chosen)
    n = sum(map(len, chosen.values()))
    if not n:
        click.echo("nothing to replay")
        return 1 if n_passed_over else 0
    counts = {
        reason: Count(c.total if selection.again else c.total - c.replayed, 0)
        for reason, c in index.counts().items()
    }
    what = summary({reason: count for reason, count in counts.items() if count.total})
    if dry_run:
        for i, request in enumerate(requests_of(topic, chosen, fix)):
            if i == _MOST_LINES:
                click.echo("...")
                break
            click.echo(_line(request, "by key" if request.partition is None else None))
        click.echo(f"would replay {what}")
        return 1 if n_passed_over else 0
    if n > 1 and not yes:
        _ask(f"Replay {what} to {requests_topic(topic.task)}?")
    n_failed = _send(topic, chosen, fix, n)
    return 1 if n_failed or n_passed_over else 0


def look(topic: DeadLetterTopic, selection: Selection) -> Index:
    """Find what is selected, and what was replayed of it."""
    starts = topic.starts()
    if selection.positions:
        for position in selection.positions:
            topic.check(position)
        starts = {
            partition: min(p.offset for p in selection.positions if p.partition == partition)
            for partition, _ in selection.positions
        }
    index = Index()
    with progress("reading", topic.count(starts)) as on_read:
        for record in topic.scan(starts, on_read):
            found = read(record)
            if not isinstance(found, DeadLetter) or selection.wants(found):
                index.add(found)
    return index


def _tell_passed_over(
    topic: DeadLetterTopic, selection: Selection, index: Index, chosen: Mapping[int, Set[int]]
) -> int:
    """Say what is not sent, and how many of those were asked for by position."""
    if not selection.positions:
        replayed = 0 if selection.again else sum(c.replayed for c in index.counts().values())
        if replayed:
            click.echo(f"passed over: {letters(replayed)}, replayed before")
        if index.foreign and not selection.reasons:
            click.echo(f"passed over: {index.foreign:,} foreign, not dead letters")
        return 0
    n = 0
    for position in selection.positions:
        if position.offset in chosen.get(position.partition, ()):
            continue
        n += 1
        at_ms = index.replayed_at_ms(position)
        why = (
            f"no dead letter at this position of {topic.name}"
            if at_ms is None
            else f"replayed before, at {utc(at_ms)}; --again sends it once more"
        )
        click.echo(f"{position} passed over: {why}", err=True)
    return n


def requests_of(
    topic: DeadLetterTopic, chosen: Mapping[int, Set[int]], fix: Fix
) -> Iterator[Request]:
    """Read the chosen dead letters again, this time with their bodies."""
    requests, labels = requests_topic(topic.task), labels_topic(topic.task)
    left = sum(map(len, chosen.values()))
    for record in topic.scan({p: min(offsets) for p, offsets in chosen.items()}):
        if record.position.offset not in chosen[record.position.partition]:
            continue
        letter = read_letter(record)
        if letter is not None:
            to = labels if letter.is_label else requests
            yield make_request(letter, to, topic.cluster.partitions.get(to, 0), fix)
        left -= 1
        if not left:
            return


def _ask(question: str) -> None:
    try:
        agreed = click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        agreed = False
    if not agreed:
        raise OunceError("nothing was replayed: nobody agreed; --yes sends without asking")


def _send(topic: DeadLetterTopic, chosen: Mapping[int, Set[int]], fix: Fix, n: int) -> int:
    """Send, and tell; how many were not sent, or not marked."""
    n_sent = 0
    failed: list[Outcome] = []
    lines: list[str] = []
    try:
        with (
            stop_on_signals() as stop,
            Sender(topic.connection, topic.task) as sender,
            progress("replaying", n) as on_done,
        ):
            for outcome in sender.send(requests_of(topic, chosen, fix), stop):
                on_done(1)
                n_sent += outcome.sent_to is not None
                if outcome.problem is not None:
                    failed.append(outcome)
                elif n <= _MOST_LINES:
                    lines.append(_line(outcome.request, str(outcome.sent_to)))
    finally:
        for line in lines:
            click.echo(line)
        for outcome in failed[:_MOST_LINES]:
            position = outcome.request.letter.record.position
            click.echo(f"{position} failed: {outcome.problem}", err=True)
        _conclude(topic, n, n_sent, failed)
    return n - n_sent + sum(outcome.sent_to is not None for outcome in failed)


def _conclude(topic: DeadLetterTopic, n: int, n_sent: int, failed: list[Outcome]) -> None:
    n_refused = sum(outcome.sent_to is None for outcome in failed)
    n_unmarked = len(failed) - n_refused
    parts = [f"replayed {n_sent:,} of {letters(n)} to {requests_topic(topic.task)}"]
    if n_refused:
        parts.append(f"{n_refused:,} not taken by Kafka")
    if n_unmarked:
        parts.append(f"{n_unmarked:,} of them not marked: a further replay sends them again")
    if n_left := n - n_sent - n_refused:
        parts.append(f"{n_left:,} left over: the same command goes on with them")
    click.echo("; ".join(parts))


def _line(request: Request, where: str | None) -> str:
    letter = request.letter
    to = f"partition {request.partition}" if where is None else where
    id_ = one_line(request.id)
    return f"{letter.record.position} ({one_line(letter.reason)}) -> {to}, id {id_}"
