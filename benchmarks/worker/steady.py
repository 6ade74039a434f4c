"""Devices that send digits at a steady rate, for benchmarks."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from ounce_services.devices.report import FleetReport, TaskReport

from benchmarks.worker.backlog import ounce

WARM_UP_S = 3


def serve_steadily(
    servers: str,
    models: Path,
    rate: int,
    seconds: int,
    targets: Sequence[str] = (),
    cpu: str | None = None,
) -> TaskReport:
    """What devices saw that sent for so long.

    Args:
        servers: Kafka bootstrap servers.
        models: folder of the ladders.
        rate: messages per second.
        seconds: how long.
        targets: of the messages, as `ounce devices --targets` takes them; none: its own mix.
        cpu: processor that the devices run on; None: any.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.jsonl"
        subprocess.run(
            [
                *(("taskset", "-c", cpu) if cpu else ()),
                *ounce(), "devices", "--task=digits", f"--kafka={servers}",
                f"--models={models}", f"--rate={rate}", f"--duration={seconds}",
                "--burst-factor=1", f"--report={report}",
                *(f"--targets={some}" for some in targets),
            ],
            check=True, capture_output=True,
        )  # fmt: skip
        seen = msgspec.json.decode(report.read_text().splitlines()[-1], type=FleetReport)
    [task] = seen.tasks.values()
    return task
