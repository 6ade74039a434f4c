"""What the commands of `ounce policy` have in common."""

import getpass
import sys
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from ounce_edge.dry_run.cards import Ladders, card_ladders
from ounce_edge.dry_run.check import Finding, Level, check
from ounce_edge.dry_run.recorded import FolderRecording, Recording
from ounce_schemas.command import make_settings
from ounce_schemas.documents import parse_policy, read_text
from ounce_schemas.errors import PolicyError
from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.policy import Policy
from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.topics import decisions_topic
from pydantic import Field

from ounce_services.policies.decision_topic import TopicRecording
from ounce_services.policies.topic import PolicyTopic


class TopicSettings(KafkaConnection):
    """Where the versions of the policy are."""

    kafka: str = Field(min_length=1, description="Bootstrap servers, HOST:PORT[,HOST:PORT...]")
    kafka_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for Kafka before giving up"
    )

    def topic(self) -> PolicyTopic:
        """The topic there."""
        return PolicyTopic(self.kafka, self.kafka_timeout_s, self.security)


class SourceSettings(TopicSettings):
    """Where records are read that are in no file."""

    kafka: str = Field(default="", description="Bootstrap servers of what is read from topics")


def open_topic(values: dict[str, Any]) -> PolicyTopic:
    """The topic that the options name."""
    return make_settings(TopicSettings, values).topic()


models_option = click.option(
    "--models",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("models"),
    show_default=True,
    envvar="OUNCE_MODELS",
    show_envvar=True,
    help="Folder of the ladders; their cards say what can be met. Without one: only the rules.",
)
author_option = click.option(
    "--author", default=getpass.getuser, help="Who changes it.  [default: your user name]"
)
note_option = click.option("--note", default="", help="Why, for the history.")
policy_option = click.option(
    "--policy",
    "file",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The policy to try, YAML or JSON.",
)
decisions_option = click.option(
    "--decisions",
    required=True,
    metavar="FOLDER|TOPIC",
    help="Folder that workers recorded their decisions in, or the topic that they published them "
    "on, ounce.decisions, which needs --kafka.",
)
tasks_option = click.option(
    "--task", "tasks", multiple=True, help="Only this task; repeat for several."
)
file_argument = click.argument("file", type=click.Path(dir_okay=False, path_type=Path))


def read_document(file: Path) -> tuple[str, Policy]:
    """Text and policy of a file; `-` is standard input.

    Raises:
        PolicyError: it can't be used.
    """
    text = sys.stdin.read() if str(file) == "-" else read_text(file)
    return text, parse_policy(text, "standard input" if str(file) == "-" else str(file))


def open_recording(decisions: str, settings: SourceSettings) -> Recording:
    """The decisions that the option names."""
    if decisions != decisions_topic() or Path(decisions).is_dir():
        return FolderRecording(Path(decisions))
    if not settings.kafka:
        raise click.UsageError(f"--decisions {decisions_topic()} needs --kafka")
    return TopicRecording(settings.topic())


def look_for_faults(policy: Policy, models: Path) -> tuple[list[Finding], Ladders]:
    """What is wrong with a policy, and the ladders that it was held against."""
    ladders = card_ladders(models)
    return check(policy, ladders), ladders


def hold_against(models: Path, policy: Policy) -> tuple[list[Finding], Ladders]:
    """As `look_for_faults`, for a command whose option `--models` names the folder.

    Raises:
        BadParameter: somebody named a folder that is not there. It would check nothing, and pass.
    """
    source = click.get_current_context().get_parameter_source("models")
    if source is not ParameterSource.DEFAULT and not models.is_dir():
        raise click.BadParameter(
            f"there is no folder {models}; name the folder of the ladders, or leave --models out"
        )
    return look_for_faults(policy, models)


def show_findings(findings: list[Finding], err: bool = False) -> int:
    """Print findings; how many are errors."""
    for finding in findings:
        click.echo(f"{finding.level}: {finding.where}: {finding.text}", err=err)
    return sum(finding.level is Level.ERROR for finding in findings)


def current_of(topic: PolicyTopic) -> PolicyVersion:
    """The version in force.

    Raises:
        PolicyError: there is none yet.
    """
    current = topic.history().current
    if current is None:
        raise PolicyError("no version of the policy was applied yet: `ounce policy apply FILE`")
    return current
