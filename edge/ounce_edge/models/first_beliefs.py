"""First beliefs of a model's latency, before it has served anything."""

import logging
from collections.abc import Callable

import numpy as np
from ounce_schemas.card import ModelCard

from ounce_edge.models.catalogue import ServedModel
from ounce_edge.models.checks import sample_inputs
from ounce_edge.models.measurement import measure_latency
from ounce_edge.models.model_memory import ManagedModel
from ounce_edge.models.runtimes.base import GPU_KINDS, LoadedModel
from ounce_edge.recommender.beliefs.latency import LatencyBelief

logger = logging.getLogger(__name__)

FirstBelief = Callable[[ServedModel], LatencyBelief | None]
"""Gives the first belief of a model's latency; None: it has none."""

START_UP_BATCH_SIZES = (1, 8, 64)
"""Measured anew at start-up; the sizes between are scaled by the nearest."""

_GPU_SECONDS = 0.3
"""For all batch sizes."""
_GPU_CALLS = 50
"""Of a batch size, at most: a call of a large batch stops others for its time alone."""
_GPU_TOGETHER_MS = 10.0
"""For calls that are made without a pause."""

MOST_TAIL = 20.0
"""A 99th percentile further over the median than this is a card's mistake, or was a stall."""


def card_belief(card: ModelCard) -> LatencyBelief:
    """What the card says."""
    batches = card.latency.batches
    return LatencyBelief(
        [b.batch_size for b in batches], [b.p50_ms for b in batches], [b.p99_ms for b in batches]
    )


def measured_belief(model: ServedModel) -> LatencyBelief | None:
    """The card's profile, scaled to what a few calls take on this machine; a tenth of a second. A
    GPU's profile has another shape, so that each batch size is measured there. None: the model is
    loaded later, or the GPU fails."""
    if isinstance(model.loaded, ManagedModel) and not model.loaded.was_loaded:
        return None
    if model.runtime in GPU_KINDS:
        try:
            return _measured_on_gpu(model)
        except Exception as e:  # whatever a GPU does, the CPU serves
            logger.warning(
                "not measured, what its card says of the CPU counts model=%s/%s: %s",
                model.card.task, model.card.model, e,
            )  # fmt: skip
            return None
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
    is_odd = (plausible_ms != scaled_ms) | (tail != p99_ms / p50_ms)
    if is_odd.any():
        first = int(is_odd.argmax())
        logger.info(
            "the card's latency is not plausible here, what was measured counts model=%s/%s "
            "items=%d card_p50_ms=%.3g card_p99_ms=%.3g believed_p50_ms=%.3g believed_p99_ms=%.3g",
            model.card.task, model.card.model, sizes[first], p50_ms[first], p99_ms[first],
            plausible_ms[first], plausible_ms[first] * tail[first],
        )  # fmt: skip
    return LatencyBelief(sizes.tolist(), plausible_ms.tolist(), (plausible_ms * tail).tolist())


def scaled_belief(card: ModelCard, beside: ServedModel, latency: LatencyBelief) -> LatencyBelief:
    """What a card says, scaled as what is believed of another model is to that one's card.

    Args:
        card: of a model that is not measured.
        beside: the other model.
        latency: what is believed of it.
    """
    ratio = latency.profile_of(1) / card_belief(beside.card).profile_of(1)
    batches = card.latency.batches
    p50_ms = [b.p50_ms * ratio for b in batches]
    tails = [min(max(b.p99_ms / b.p50_ms, 1.0), MOST_TAIL) for b in batches]
    p99_ms = [ms * tail for ms, tail in zip(p50_ms, tails, strict=True)]
    return LatencyBelief([b.batch_size for b in batches], p50_ms, p99_ms)


def _measured_on_gpu(model: ServedModel) -> LatencyBelief:
    """Each batch size from end to end, and beside it in the log what the GPU says of it."""
    sizes = [b.batch_size for b in model.card.latency.batches]
    measured = measure_latency(
        model.loaded,
        sample_inputs(model.card.inputs, max(START_UP_BATCH_SIZES)),
        batch_sizes=sizes,
        seconds=_GPU_SECONDS,
        most_calls=_GPU_CALLS,
    )
    for at in measured:
        p50_ms, p99_ms = _gpu_percentiles(model.loaded, at.batch_size, at.p50_ms)
        logger.info(
            "measured on the GPU model=%s/%s items=%d p50_ms=%.3f p99_ms=%.3f gpu_p50_ms=%.3f "
            "gpu_p99_ms=%.3f",
            model.card.task, model.card.model, at.batch_size, at.p50_ms, at.p99_ms, p50_ms, p99_ms,
        )  # fmt: skip
    p99 = [min(at.p99_ms, MOST_TAIL * at.p50_ms) for at in measured]
    return LatencyBelief(sizes, [at.p50_ms for at in measured], p99)


def _gpu_percentiles(loaded: LoadedModel, n_items: int, call_ms: float) -> tuple[float, float]:
    """Median and 99th percentile of a call by the GPU's own clock; not a number without one.

    Args:
        loaded: the model.
        n_items: of a call.
        call_ms: what a call takes, about. Other models wait meanwhile, so few are made together.
    """
    inner = loaded.load() if isinstance(loaded, ManagedModel) else loaded
    times = getattr(inner, "gpu_times_ms", None)
    together = max(int(_GPU_TOGETHER_MS / call_ms), 1)
    times_ms = list[float]()
    try:
        while times is not None and len(times_ms) < _GPU_CALLS:
            found = times(n_items, min(together, _GPU_CALLS - len(times_ms)))
            if not found:
                break
            times_ms += found
    except RuntimeError as e:
        logger.warning("the GPU's clock can't be read: %s", e)
        times_ms.clear()
    if not times_ms:
        return float("nan"), float("nan")
    p50_ms, p99_ms = np.percentile(times_ms, [50, 99])
    return float(p50_ms), float(p99_ms)
