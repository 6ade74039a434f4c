"""First beliefs of a model's latency, before it has served anything."""

import numpy as np
from ounce_schemas.card import ModelCard

from ounce_edge.catalogue import ServedModel, sample_inputs
from ounce_edge.measurement import measure_latency
from ounce_edge.recommender.latency import LatencyBelief

START_UP_BATCH_SIZES = (1, 8, 64)
"""Measured anew at start-up; the sizes between are scaled by the nearest."""


def card_belief(card: ModelCard) -> LatencyBelief:
    """What the card says."""
    batches = card.latency.batches
    return LatencyBelief(
        [b.batch_size for b in batches], [b.p50_ms for b in batches], [b.p99_ms for b in batches]
    )


def measured_belief(model: ServedModel) -> LatencyBelief:
    """The card's profile, scaled to what a few calls take on this machine; a tenth of a second."""
    batches = model.card.latency.batches
    sizes = np.array([b.batch_size for b in batches])
    p50_ms = np.array([b.p50_ms for b in batches])
    p99_ms = np.array([b.p99_ms for b in batches])
    measured = measure_latency(
        model.loaded,
        sample_inputs(model.card.inputs, max(START_UP_BATCH_SIZES)),
        batch_sizes=[s for s in START_UP_BATCH_SIZES if s <= sizes[-1]],
        seconds=0.06,
        least_calls=3,
    )
    at = [m.batch_size for m in measured]
    ratio = [m.p50_ms / float(np.interp(m.batch_size, sizes, p50_ms)) for m in measured]
    scale = np.exp(np.interp(np.log(sizes), np.log(at), np.log(ratio)))
    return LatencyBelief(sizes.tolist(), (p50_ms * scale).tolist(), (p99_ms * scale).tolist())
