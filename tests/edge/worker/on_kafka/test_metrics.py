"""Prometheus finds what the page on metrics lists, and nothing else."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.kafka.topics import OwnTopics
from tests.support.process.prometheus import Prometheus
from tests.support.process.worker import Device
from tests.support.process.workers import Workers

ROOT = Path(__file__).parents[4]
ABSENT = [
    "ounce_canary_evidence",
    "ounce_certificate_expiry_timestamp_seconds",
    "ounce_shadow_messages_total",
]
"""There while a canary or a shadow runs, or with TLS."""


def documented_metrics() -> list[str]:
    text = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    return sorted(set(re.findall(r"^\| `(ounce_\w+)` \|", text, re.MULTILINE)))


def test_prometheus_finds_every_metric_that_the_pages_list(
    topics: OwnTopics,
    workers: Workers,
    device: Device,
    split: Any,
    prometheus: Callable[[str], Prometheus],
) -> None:
    topics.of_task("digits")
    inputs, _ = split
    listed = documented_metrics()
    assert len(listed) >= 19
    with workers() as worker:
        device.send(b"nonsense")
        device.send(inputs[0].tobytes(), [("ce_minaccuracy", b"1"), ("ce_id", b"a")])
        device.send(inputs[1].tobytes())
        device.flush()
        device.read(3)
        server = prometheus(f"127.0.0.1:{worker.port}")
        server.wait_for("ounce_dead_letters_total > 0")
        server.wait_for("ounce_consumer_lag")
        server.wait_for("ounce_partition_blocked_seconds")
        missing = [name for name in listed if not server.query(name)]
        histograms = [name for name in missing if server.query(f"{name}_bucket")]
        assert sorted(set(missing) - set(histograms)) == ABSENT
        assert len(histograms) == 4
        names = {name for name in server.metric_names() if name.startswith("ounce_")}
        unlisted = {
            n
            for n in names
            if n not in listed and re.sub("_(bucket|count|sum)$", "", n) not in listed
        }
        assert unlisted == set()
        [answered] = server.query("sum(ounce_messages_total{outcome!='dead-letter'})")
        assert answered.value == 2
