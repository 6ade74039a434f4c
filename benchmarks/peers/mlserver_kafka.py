"""MLServer's Kafka mode, with a runtime of ONNX Runtime.

It reads from the end of its topic, without a group, and begins a task for every message that it
reads: a backlog that lies ready would not be seen, and one that is sent at once would fill its
memory. So it has a fixed number of requests under way: of 64, 256 and 1,024 it answers 256 fastest,
with adaptive batching as without.
"""

import json
from collections.abc import Sequence
from pathlib import Path

from benchmarks.peers.base import MODEL, Job, Peer
from tests.support.process.child import free_port


def _command(python: Path, job: Job) -> Sequence[str | Path]:
    quiet = {"version": 1, "disable_existing_loggers": False, "root": {"level": "ERROR"}}
    settings = {
        "debug": False,
        "host": "127.0.0.1",
        "http_port": free_port(),
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,  # all in one process: it has one processor
        "kafka_enabled": True,
        "kafka_servers": job.servers,
        "kafka_topic_input": job.requests,
        "kafka_topic_output": job.predictions,
        "logging_settings": {
            **quiet, "loggers": {"mlserver": {"level": "ERROR"}, "uvicorn": {"level": "ERROR"}}
        },
    }  # fmt: skip
    model = {
        "name": MODEL,
        "implementation": "benchmarks.peers.mlserver_runtime.OnnxRuntime",
        "parameters": {"uri": str(job.model.resolve())},
    }
    (job.scratch / "settings.json").write_text(json.dumps(settings))
    (job.scratch / "model-settings.json").write_text(json.dumps(model))
    return [python.with_name("mlserver"), "start", job.scratch]


MLSERVER = Peer(
    name="mlserver",
    title="MLServer's Kafka mode, ONNX Runtime",
    body="json",
    requirements=("mlserver==1.7.1", "aiokafka==0.14.0"),
    command=_command,
    backlog_per_s=0,
    in_flight=256,
    headers=(("mlserver-model", MODEL.encode()),),
)
