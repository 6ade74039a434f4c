"""Measuring what this machine takes for the reference graphs."""

import platform
from pathlib import Path

import numpy as np
from ounce_schemas.device import DeviceCard, ReferenceTimes

from ounce_edge.models.measurement import measure_latency
from ounce_edge.models.processor import processor_name
from ounce_edge.models.reference_graphs import REFERENCE_GRAPHS
from ounce_edge.models.runtimes.base import Runtime

_ITEMS = 32
"""Of a call."""


def measure_device(runtime: Runtime, seconds: float = 2.0) -> DeviceCard:
    """Time the reference graphs.

    Args:
        runtime: runs them.
        seconds: to spend, about; the graphs share them.
    """
    generator = np.random.default_rng(0)
    times_us = {}
    for name, make in REFERENCE_GRAPHS.items():
        graph = make()
        model = runtime.load(Path(f"{name}.onnx"), graph.content)
        items = generator.normal(size=(_ITEMS, *graph.item_shape)).astype(np.float32)
        (timed,) = measure_latency(
            model,
            {"x": items},
            batch_sizes=(_ITEMS,),
            seconds=seconds / len(REFERENCE_GRAPHS),
            most_calls=10_000,
        )
        times_us[name] = round(1e3 * timed.p50_ms, 3)
    return DeviceCard(
        host=platform.node() or "unnamed",
        processor=processor_name() or "unknown",
        runtime=runtime.name,
        reference=ReferenceTimes(**times_us),
    )
