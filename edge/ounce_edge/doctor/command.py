"""`ounce doctor`: everything that a worker needs, looked at in order."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import click
import msgspec
from ounce_schemas.command import make_settings, settings_options
from pydantic import Field

from ounce_edge.doctor.broker_checks import BrokerChecks
from ounce_edge.doctor.finding import Finding, Verdict
from ounce_edge.doctor.machine_checks import check_machine
from ounce_edge.doctor.model_checks import ModelChecks
from ounce_edge.models.first_trial import first_trial
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.worker.settings.worker import WorkerSettings

_MARKS = {
    Verdict.OK: ("✔", "green"),
    Verdict.WARNING: ("!", "yellow"),
    Verdict.FAILURE: ("✘", "red"),
    Verdict.SKIPPED: ("–", "bright_black"),
}


class DoctorSettings(WorkerSettings):
    """Settings of `ounce doctor`: those of the worker that it is for."""

    kafka_timeout_s: float = Field(
        default=10.0, gt=0, description="Seconds to wait for Kafka before giving up"
    )
    probe_clock: bool = Field(
        default=False,
        description="Compare with the broker's clock: makes a topic ounce.doctor.*, writes one "
        "record, and removes it",
    )


@click.command("doctor")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for scripts.")
@settings_options(DoctorSettings)
def command(as_json: bool, **options: Any) -> int:
    """Check Kafka, its topics and rights, models, clocks, disk, open files and memory, and say what
    to do. Takes the options of `ounce worker`, and changes nothing.

    \b
    Examples:
      ounce doctor --task digits --kafka localhost:9092 --models ./models
      ounce doctor --task digits --kafka localhost:9092 --probe-clock --json

    Exit codes: 0 a worker can serve, warnings or not; 1 it can't; 2 wrong usage.
    """
    settings = make_settings(DoctorSettings, options)
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        if not as_json:
            _show(finding)
    if as_json:
        click.echo(msgspec.json.format(msgspec.json.encode(findings), indent=1).decode())
    return 1 if any(f.verdict is Verdict.FAILURE for f in findings) else 0


def examine(settings: DoctorSettings) -> Iterator[Finding]:
    """All findings, each as soon as it is there."""
    broker = BrokerChecks(settings, settings.probe_clock)
    trial = partial(first_trial, settings.threads, needs_process=False)
    models = ModelChecks(settings, OnnxCpuRuntime(settings.threads), trial)
    yield from broker.check()
    yield from models.check()
    yield from check_machine(settings, broker.n_brokers, models.memory_mb)


def _show(finding: Finding) -> None:
    mark, colour = _MARKS[finding.verdict]
    click.echo(f"{click.style(mark, fg=colour)} {finding.check}: {_one_line(finding.text)}")
    if finding.advice:
        click.echo(f"    {_one_line(finding.advice)}")


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text)
