"""Reasons that rest on a clock: hardware, the limit of latency, cost, another machine. Pure."""

from collections.abc import Sequence

from ounce_schemas.advice import (
    Decision,
    Limits,
    Measured,
    MeasuredDevice,
    MeasuredModel,
    Plan,
    Reason,
)
from ounce_schemas.wording import figure

from ounce_exporters.advisor.deciding import LATENCY_ROOM
from ounce_exporters.advisor.scaling import ratios

_CLOCK = "timed on this machine, one thread of the edge's runtime"
_SCALED = "timed on this machine and scaled to the device"
_GPU_WORTH_S = 600.0
"""Nominal seconds of training on one core from which a GPU would be missed."""


def timed_reasons(
    decision: Decision, measured: Measured, limits: Limits, training_s: float
) -> tuple[Reason, ...]:
    """Those that rest on a clock: hardware, the limit of latency, and cost of a million messages.

    Args:
        decision: what is advised; it has a plan.
        measured: of all finalists.
        limits: that the plan was held against.
        training_s: nominal seconds that one core trains the plan.
    """
    plan, best = decision.plan, decision.best
    assert plan is not None
    assert best is not None
    timed, device, batch = measured.serving, measured.device, limits.batch
    clock = _CLOCK if device is None else _SCALED
    alone = {t.model: t.p50_ms for t in timed if t.batch_size == 1}
    of_batch = {t.model: t.p50_ms / t.batch_size for t in timed if t.batch_size == batch}
    shares = [1.0, *([] if plan.handed_over is None else [plan.handed_over])]
    mine_us = 1e3 * sum(s * alone[m] for s, m in zip(shares, plan.models, strict=True))
    best_us = 1e3 * alone[best]
    item_ms = sum(s * of_batch[m] for s, m in zip(shares, plan.models, strict=True))
    memory_mb = sum(measured.memory_bytes.get(m, 0) for m in plan.models) / 1e6
    loaded = (
        f", and {figure(max(memory_mb, 0.01), 2)} MB of memory once loaded" if memory_mb else ""
    )
    missed = any(missed.startswith("--") for missed in decision.missed)
    within = "" if missed or limits == Limits(batch=batch) else " within the limits"
    most_accurate = f"{best}, the most accurate{within}, takes {best_us:.1f} µs"
    if plan.models == (best,):
        most_accurate = f"no model{within} is more accurate"
    calls = "one by one" if batch == 1 else f"in calls of {batch}"
    gpu = "a GPU is worth trying" if training_s > _GPU_WORTH_S else "a GPU is not worth it"
    return (
        Reason(
            topic="hardware",
            text=f"{mine_us:.1f} µs a message alone{loaded}; {most_accurate}. Training is about "
            f"{figure(max(training_s, 0.1), 2)} s of one core: {gpu}",
            figures={
                "us": mine_us,
                "best_us": best_us,
                "training_s": training_s,
                "memory_mb": memory_mb,
            },
            source=clock + "; training by counted work",
        ),
        *_latency(plan, [t for t in timed if t.batch_size == batch], limits, clock),
        Reason(
            topic="cost",
            text=f"a million messages {calls} take {figure(1e3 * item_ms)} s of one core",
            figures={"core_s_per_million": item_ms * 1e3},
            source=clock,
        ),
        *([] if device is None else [_device(device)]),
    )


def _latency(
    plan: Plan, timed: Sequence[MeasuredModel], limits: Limits, clock: str
) -> list[Reason]:
    """What a call takes against the limit, and which models take too long."""
    limit_ms = limits.max_latency_ms
    if limit_ms is None:
        return []
    mine = [t for t in timed if t.model in plan.models]
    p50_ms, p99_ms = sum(t.p50_ms for t in mine), sum(t.p99_ms for t in mine)
    told = f"a call of {limits.batch} takes {figure(p50_ms)} ms (p99 {figure(p99_ms)})"
    told += f", {figure(LATENCY_ROOM * p50_ms)} ms with room for noise, of {limit_ms:g} ms"
    slow = [t for t in timed if LATENCY_ROOM * t.p50_ms > limit_ms and t not in mine]
    if slow:
        slow.sort(key=lambda t: t.p50_ms)
        told += "; too slow: " + ", ".join(f"{t.model} {figure(t.p50_ms)}" for t in slow)
    return [
        Reason(
            topic="latency",
            text=told,
            figures={"p50_ms": p50_ms, "p99_ms": p99_ms, "limit_ms": limit_ms},
            source=clock,
        )
    ]


def _device(device: MeasuredDevice) -> Reason:
    times = {
        name.removesuffix("_us"): ratio for name, ratio in ratios(device.here, device.there).items()
    }
    return Reason(
        topic="device",
        text=f"latencies are those of {device.host} ({device.processor}, {device.runtime}), "
        f"scaled: any call takes {times['call']:.2f} times as long as here, products of matrices "
        f"{times['matrix']:.2f}, trees {times['trees']:.2f}, convolutions "
        f"{times['convolution']:.2f}",
        figures=times,
        source="its card, against the same reference graphs timed on this machine",
    )
