"""First beliefs of a model's latency, before it has served anything."""

import logging

import numpy as np
from ounce_schemas.card import ModelCard

from ounce_edge.models.catalogue import ServedModel
from ounce_edge.models.checks import sample_inputs
from ounce_edge.models.measurement import measure_latency
from ounce_edge.recommender.beliefs.latency import LatencyBelief

logger = logging.getLogger(__name__)

START_UP_BATCH_SIZES = (1, 8, 64)
"""Measured anew at start-up; the sizes between are scaled by the nearest."""

MOST_TAIL = 20.0
"""A 99th percentile further over the median than this is a card's mistake, or was a stall."""


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
    scaled_ms = p50_ms * scale
    # A card can say anything. A batch takes no less than one item, and hardly more than as many
    # calls of one; beyond that what was measured counts, not the card.
    one_ms = measured[0].p50_ms
    plausible_ms = np.clip(scaled_ms, 0.5 * one_ms, 2.0 * one_ms * sizes / at[0])
    tail = np.clip(p99_ms / p50_ms, 1.0, MOST_TAIL)
    if (plausible_ms != scaled_ms).any() or (tail != p99_ms / p50_ms).any():
        logger.warning(
            "the latency that the card of %s/%s promises is not plausible here; what was measured "
            "counts",
            model.card.task,
            model.card.model,
        )
    return LatencyBelief(sizes.tolist(), plausible_ms.tolist(), (plausible_ms * tail).tolist())
