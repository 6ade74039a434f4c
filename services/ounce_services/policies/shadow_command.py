"""`ounce policy shadow`: start, compare, stop."""

from pathlib import Path
from typing import Any

import click
from ounce_schemas.canary import Shadow
from ounce_schemas.command import settings_options
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy_history import Change
from ounce_schemas.topics import predictions_topic, requests_topic, shadow_topic
from pydantic import ValidationError

from ounce_services.policies.canary_state import refuse_second_canary
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
from ounce_services.policies.shadow_comparison import comparison_text
from ounce_services.policies.shadow_join import compare


@click.group(name="shadow")
def command() -> None:
    """Let another policy answer a share of the messages, beside those that are published.

    \b
    Examples:
      ounce policy shadow start new.yaml --task digits --share 0.05 --kafka localhost:9092
      ounce policy shadow compare digits --kafka localhost:9092
    """


@command.command("start")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--task", "tasks", multiple=True, required=True, help="Whose messages; repeatable.")
@click.option(
    "--share", type=NumberRange(0, 1, min_open=True), required=True, help="Of the messages."
)
@note_option
@author_option
@models_option
@settings_options(TopicSettings)
def start_command(
    file: Path,
    tasks: tuple[str, ...],
    share: float,
    note: str,
    author: str,
    models: Path,
    **values: Any,
) -> None:
    """Answer a share of the messages under FILE, too. Nobody acts on these answers.

    Example: ounce policy shadow start new.yaml --task digits --share 0.05 --kafka localhost:9092
    """
    text, policy = read_document(file)
    if show_findings(hold_against(models, policy)[0], err=True):
        raise PolicyError(f"{file}: not started; mend the errors")
    try:
        shadow = Shadow(document=text, share=share, tasks=tasks)
    except ValidationError as e:
        raise click.UsageError(str(e)) from e
    topic = open_topic(values)
    history = topic.history()
    current = current_of(topic)
    refuse_second_canary(topic, history)
    topic.require_topics(map(requests_topic, tasks))
    topic.make_topics([shadow_topic(task) for task in tasks])
    version = topic.append(history, Change(current.document, author, note, shadow=shadow))
    click.echo(f"{version.name} has {file} beside it, for {share:.1%} of the messages")


@command.command("stop")
@note_option
@author_option
@settings_options(TopicSettings)
def stop_command(note: str, author: str, **values: Any) -> None:
    """End it.

    Example: ounce policy shadow stop --kafka localhost:9092
    """
    topic = open_topic(values)
    history, current = topic.history(), current_of(topic)
    if current.shadow is None:
        raise PolicyError(f"{current.name} has no shadow: `ounce policy shadow start`")
    ended = topic.append(history, Change(current.document, author, note or "without the shadow"))
    click.echo(f"{ended.name} has no shadow")


@command.command("compare")
@click.argument("task")
@settings_options(TopicSettings)
def compare_command(task: str, **values: Any) -> int:
    """Hold the answers of the shadow of TASK against those that were published. Exits 1 where no
    answer has a counterpart.

    Example: ounce policy shadow compare digits --kafka localhost:9092
    """
    topic = open_topic(values)
    topic.require_topics([predictions_topic(task)])
    found = compare(
        ((record.key(), record.value()) for record in topic.read(shadow_topic(task))),
        ((record.key(), record.value()) for record in topic.read(predictions_topic(task))),
    )
    click.echo(comparison_text(found))
    return 0 if any(each.n for each in found.values()) else 1
