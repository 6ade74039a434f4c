"""Reasons that rest on a clock: each with the figure that it says."""

import pytest
from ounce_exporters.advisor.timed_reasons import timed_reasons
from ounce_schemas.advice import (
    Decision,
    Limits,
    Measured,
    MeasuredDevice,
    MeasuredModel,
    Plan,
    Verdict,
)
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.device import ReferenceTimes

ESTIMATE = AccuracyEstimate(value=0.9, low=0.89, high=0.91, n=1000)


def decided(plan: Plan, best: str, *missed: str) -> Decision:
    return Decision(verdict=Verdict.CLASSICAL, plan=plan, best=best, missed=missed)


def timed_at(limit_ms: float, heavy_ms: float = 0.4) -> str:
    """The reason of a limit of calls of 10; the plan takes 0.02 ms, another model `heavy_ms`."""
    plan = Plan(models=("light",), accuracy=ESTIMATE, counted_ns=10)
    timed = tuple(
        MeasuredModel(model=name, batch_size=size, p50_ms=ms, p99_ms=2 * ms)
        for name, size, ms in (
            ("light", 1, 0.01),
            ("light", 10, 0.02),
            ("heavy", 1, 0.2),
            ("heavy", 10, heavy_ms),
        )
    )
    limits = Limits(max_latency_ms=limit_ms, batch=10)
    measured = Measured(machine="here", models=timed, race_s=1)
    found = timed_reasons(decided(plan, "light"), measured, limits, 1)
    return next(reason.text for reason in found if reason.topic == "latency")


def test_the_most_accurate_model_is_said_to_keep_limits_where_there_are_any() -> None:
    plan = Plan(models=("light",), accuracy=ESTIMATE, counted_ns=10)
    timed = tuple(
        MeasuredModel(model=name, batch_size=1, p50_ms=0.01, p99_ms=0.02)
        for name in ("light", "heavy")
    )
    measured = Measured(machine="here", models=timed, race_s=1)
    limits = Limits(max_size_mb=1)

    def hardware(limits: Limits, *missed: str) -> str:
        return timed_reasons(decided(plan, "heavy", *missed), measured, limits, 1)[0].text

    assert "heavy, the most accurate within the limits, takes 10.0 µs" in hardware(limits)
    assert "heavy, the most accurate, takes" in hardware(limits, "--max-size-mb 1: 2 MB")
    assert "heavy, the most accurate, takes" in hardware(Limits())


def test_single_messages_and_little_memory_are_told_in_words() -> None:
    plan = Plan(models=("light",), accuracy=ESTIMATE, counted_ns=10)
    timed = (MeasuredModel(model="light", batch_size=1, p50_ms=0.01, p99_ms=0.02),)
    measured = Measured(machine="here", models=timed, memory_bytes={"light": 900}, race_s=1)

    hardware, cost = timed_reasons(decided(plan, "light"), measured, Limits(), 0.01)

    assert "and 0.01 MB of memory once loaded" in hardware.text
    assert "Training is about 0.1 s of one core" in hardware.text
    assert cost.text == "a million messages one by one take 10 s of one core"


def test_a_limit_of_latency_is_told_with_what_calls_take() -> None:
    took = "a call of 10 takes 0.02 ms (p99 0.04), 0.024 ms with room for noise, of"

    assert timed_at(0.45) == f"{took} 0.45 ms; too slow: heavy 0.4"
    assert timed_at(0.5) == f"{took} 0.5 ms"
    assert timed_at(0.5, 1234.5) == f"{took} 0.5 ms; too slow: heavy 1,234"


def test_a_cascade_costs_what_its_share_of_the_second_model_costs() -> None:
    plan = Plan(models=("light", "heavy"), accuracy=ESTIMATE, counted_ns=10, handed_over=0.25)
    timed = tuple(
        MeasuredModel(model=name, batch_size=size, p50_ms=ms, p99_ms=ms)
        for name, size, ms in (
            ("light", 1, 0.01),
            ("light", 10, 0.02),
            ("heavy", 1, 0.2),
            ("heavy", 10, 0.4),
        )
    )
    measured = Measured(
        machine="here", models=timed, memory_bytes={"light": 2_000_000, "heavy": 500_000}, race_s=1
    )

    hardware, cost = timed_reasons(decided(plan, "heavy"), measured, Limits(batch=10), 1200)

    assert hardware.figures["us"] == pytest.approx(60)
    assert "a GPU is worth trying" in hardware.text
    assert "and 2.5 MB of memory once loaded" in hardware.text
    assert cost.figures["core_s_per_million"] == pytest.approx(12)


def test_a_device_is_named_with_its_ratios_and_its_times_count() -> None:
    plan = Plan(models=("light",), accuracy=ESTIMATE, counted_ns=10)
    here, there = (
        MeasuredModel(model="light", batch_size=1, p50_ms=ms, p99_ms=ms) for ms in (0.01, 0.02)
    )
    device = MeasuredDevice(
        host="pi-7",
        processor="Cortex-A72",
        runtime="onnxruntime-cpu 1.30.0",
        here=ReferenceTimes(call_us=4, matrix_us=30, trees_us=80, convolution_us=100),
        there=ReferenceTimes(call_us=8, matrix_us=90, trees_us=120, convolution_us=100),
        models=(there,),
    )
    measured = Measured(machine="here", models=(here,), device=device, race_s=1)

    hardware, _, found = timed_reasons(decided(plan, "light"), measured, Limits(), 1)

    assert hardware.figures["us"] == pytest.approx(20)
    assert hardware.source.startswith("timed on this machine and scaled to the device")
    assert found.figures == {"call": 2, "matrix": 3, "trees": 1.5, "convolution": 1}
    assert found.text.startswith("latencies are those of pi-7 (Cortex-A72, onnxruntime-cpu 1.30.0)")
