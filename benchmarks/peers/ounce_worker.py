"""The worker, with the policy of the other benchmarks: it may choose between two models."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.base import Job, Peer
from benchmarks.worker.backlog import POLICY, ounce


def _command(python: Path, job: Job) -> Sequence[str | Path]:
    policy = job.scratch / "policy.yaml"
    policy.write_text(POLICY)
    return [
        *ounce(), "worker", "--task=digits", f"--kafka={job.servers}", f"--models={job.models}",
        f"--policy={policy}", f"--group={job.group}", "--metrics-port=0", "--log-level=WARNING",
    ]  # fmt: skip


OUNCE_RAW = Peer(
    name="ounce",
    title="Ounce, raw bodies",
    body="raw",
    requirements=(),
    command=_command,
    backlog_per_s=150_000,
)
OUNCE_JSON = Peer(
    name="ounce-json",
    title="Ounce, JSON bodies",
    body="json",
    requirements=(),
    command=_command,
    backlog_per_s=60_000,
)
