"""What comes from outside takes no memory without bound, and breaks no page."""

import itertools

import numpy as np
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.spans import SpanMaker
from ounce_edge.telemetry.tracing import Tracing, make_choice
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.edge.ladders import DIGITS, FakeRecord, ladder, served
from tests.support.edge.observed import answer, pipeline_of
from tests.support.edge.pipelines import GOOD, NOW_S, standing_clocks
from tests.support.edge.traces import Taken

N_DEVICES = 10_000


def series(metrics: Metrics) -> set[str]:
    """Every series of the page but those of the process."""
    lines = generate_latest(metrics.registry).decode().splitlines()
    return {line.rpartition(" ")[0] for line in lines if line.startswith("ounce_")}


def record(device: int) -> FakeRecord:
    name = f'dev"ice\n{device}'.encode()
    headers = [("ce_id", name), ("ce_source", b"/" + name), ("ce_tenant", name)]
    return FakeRecord(GOOD, headers, name, device)


def test_ten_thousand_devices_make_no_series_of_their_own() -> None:
    metrics, sender = Metrics(["acme"]), Taken()
    metrics.describe("v1", [ladder(DIGITS, served(DIGITS, "light"))])
    clocks = standing_clocks()
    pipeline = pipeline_of(clocks)
    pipeline.keeps_trails = True
    tracing = Tracing(make_choice(1.0, 20), sender, clocks=clocks)
    answer(pipeline, [record(0)], metrics, tracing)
    before = series(metrics)
    for start in range(0, N_DEVICES, 1000):
        answer(pipeline, [record(start + i) for i in range(1000)], metrics, tracing)
    more = series(metrics) - before  # of other reasons and batch sizes
    assert len(more) < 100
    assert not any("dev" in each for each in more)
    assert (
        metrics.registry.get_sample_value(
            "ounce_end_to_end_latency_seconds_count", {"task": "digits"}
        )
        == N_DEVICES + 1
    )
    assert sender.counts["sent"] + sender.counts["limited"] == N_DEVICES + 1
    assert sender.counts["sent"] < N_DEVICES


def test_a_version_that_looks_like_a_page_is_one_label() -> None:
    hostile = 'v"1\n} 7\nounce_forged 1\\'
    metrics = Metrics()
    metrics.describe(hostile, [ladder(DIGITS, served(DIGITS, "light"))])
    page = generate_latest(metrics.registry).decode()
    families = {family.name: family for family in text_string_to_metric_families(page)}
    assert "ounce_forged" not in families
    assert [s.labels for s in families["ounce_policy_info"].samples] == [{"version": hostile}]


def test_a_clock_that_jumps_makes_no_negative_time() -> None:
    times = itertools.cycle([NOW_S, NOW_S - 86_400, NOW_S + 86_400, NOW_S - 5])
    metrics, sender = Metrics(), Taken()
    clocks = standing_clocks(lambda: next(times))
    pipeline = pipeline_of(clocks)
    pipeline.keeps_trails = True
    tracing = Tracing(make_choice(1.0, 1000), sender, clocks=clocks)
    for i in range(20):
        answer(pipeline, [record(i)], metrics, tracing)
    name, labels = "ounce_end_to_end_latency_seconds", {"task": "digits"}
    count = metrics.registry.get_sample_value(f"{name}_count", labels)
    total = metrics.registry.get_sample_value(f"{name}_sum", labels)
    waited = metrics.registry.get_sample_value("ounce_queue_wait_seconds_sum", labels)
    assert count == 20
    assert total is not None
    assert total >= 0
    assert waited is not None
    assert waited >= 0
    maker = SpanMaker("1", "w", "g")
    spans = [span for group in sender.groups for span in maker.spans(group)]
    took_s = np.array([(s.end_time or 0) - (s.start_time or 0) for s in spans]) / 1e9
    assert len(spans) >= 20
    assert took_s.min() >= 0
    assert took_s.max() < 3600
