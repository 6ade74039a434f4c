"""Send generated bad messages through a pipeline, among good ones.

No message may crash or hang it, or cost another one anything: every record leads to exactly one
prediction or dead letter, and every good one to a prediction. With atheris installed, `--atheris`
also lets coverage steer what is generated.

Exit code 1 at the first message that is lost, answered twice, or costs another one something.

Example: python -m trials.fuzz --messages 1000000
"""

import collections
import faulthandler
import importlib.util
import sys
import time
from typing import Any

import click
import msgspec
from ounce_edge.models.first_beliefs import card_belief
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.wire.header_names import by_usual_names
from ounce_edge.wire.requests.request_body import read_body
from ounce_edge.wire.requests.request_head import read_head
from ounce_schemas.dead_letter import HEADER_OMITTED, HEADER_REASON, HEADER_TEXT
from ounce_schemas.errors import InvalidMessageError
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import Prediction
from rich.progress import Progress

from tests.support.edge.ladders import DIGITS, Outbox, ladder, serve, served
from trials.fuzz.mutations import Mutator

BATCH = 200
"""Records of one poll; one in ten is good."""
MAX_BODY_BYTES = 8_192
MAX_LETTER_BYTES = 10_000
"""Little, so that some records are too large to be served, and some for a dead letter."""
HANG_S = 20.0
"""A poll that takes longer counts as a hang: its stack is printed and the run ends."""
_TOPICS = ("ounce.digits.predictions", "ounce.digits.dead-letters")


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--messages", default=1_000_000, show_default=True, help="How many to generate.")
@click.option("--seed", default=0, show_default=True, help="The same seed, the same messages.")
@click.option("--atheris", is_flag=True, help="Fuzz bodies and headers guided by coverage instead.")
def main(messages: int, seed: int, atheris: bool) -> None:
    """Run, and report."""
    if atheris:
        _guided(messages)
        return
    mutator, reasons = Mutator(seed), collections.Counter[str]()
    edition = Edition(
        ladder(DIGITS, served(DIGITS, "a")),
        Policy(max_body_bytes=MAX_BODY_BYTES).for_task("digits"),
        first_belief=lambda model: card_belief(model.card),
    )
    pipeline = Pipeline(edition, max_message_bytes=MAX_LETTER_BYTES)
    start_s, done = time.monotonic(), 0
    with Progress(disable=not sys.stderr.isatty()) as progress:
        bar = progress.add_task("messages", total=messages)
        while done < messages:
            n = min(BATCH, messages - done)
            _check(pipeline, mutator, done, n, reasons)
            done += n
            progress.update(bar, completed=done)
    rate = done / (time.monotonic() - start_s)
    click.echo(f"{done:,} messages, none lost, none repeated, no crash, no hang; {rate:,.0f}/s")
    for reason, count in reasons.most_common():
        click.echo(f"  {count:>9,}  {reason}")


def _check(
    pipeline: Pipeline, mutator: Mutator, first: int, n: int, reasons: collections.Counter[str]
) -> None:
    records = [mutator.any(i) if i % 10 else mutator.good(i) for i in range(first, first + n)]
    outbox = Outbox()
    faulthandler.dump_traceback_later(HANG_S, exit=True, file=sys.__stderr__ or sys.stderr)
    try:
        report = serve(pipeline, records, outbox)
    finally:
        faulthandler.cancel_dump_traceback_later()
    answered = set[str]()
    for topic, value, key, headers in outbox.records:
        if topic == _TOPICS[0]:
            answered.add(msgspec.json.decode(value or b"", type=Prediction).id)
            reasons["answered"] += 1
        else:
            _check_letter(value, key, headers, reasons)
    good = {f"{DIGITS_REQUESTS}-3-{i}" for i in range(first, first + n) if i % 10 == 0}
    if len(outbox.records) != n or not good <= answered or report.next_offsets != {3: first + n}:
        raise SystemExit(
            f"messages {first} to {first + n}: {len(outbox.records)} answers and dead letters; "
            f"good ones without an answer: {sorted(good - answered)}; "
            f"next offset {report.next_offsets}"
        )


def _check_letter(
    value: bytes | None, key: bytes | None, headers: Any, reasons: collections.Counter[str]
) -> None:
    why = dict(headers)
    text = why[HEADER_TEXT]
    reasons[why[HEADER_REASON].decode()] += 1
    if HEADER_OMITTED in why:
        reasons[f"(a dead letter without its {why[HEADER_OMITTED].decode()})"] += 1
    size = sum(len(part or b"") for part in (value, key, *(v for _, v in headers)))
    if size > MAX_LETTER_BYTES:
        raise SystemExit(f"a dead letter of {size} bytes: {text!r}")
    if b"please report it" in text:
        raise SystemExit(f"nobody foresaw {value!r}: {text!r}")


DIGITS_REQUESTS = "ounce.digits.requests"


def _guided(messages: int) -> None:
    if importlib.util.find_spec("atheris") is None:
        raise click.ClickException("atheris is not installed: pip install atheris")
    import atheris

    def one(data: bytes) -> None:
        provider = atheris.FuzzedDataProvider(data)
        value = provider.ConsumeBytes(512)
        names = ("ce_id", "ce_maxlatencyms", "ce_minaccuracy", "content-type")
        headers: Any = by_usual_names([(name, provider.ConsumeBytes(32)) for name in names])
        for read, argument in ((read_body, value), (read_head, headers)):
            try:
                read(argument)
            except InvalidMessageError:
                continue

    atheris.instrument_all()
    atheris.Setup([sys.argv[0], f"-runs={messages}", "-timeout=20"], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
