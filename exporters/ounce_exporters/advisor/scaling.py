"""From times on this machine to times on another, by what both take for the reference graphs. Pure.

A call has a part that any call has, and work. The first is scaled as a call of next to nothing is;
the work as the reference graph of its kind.
"""

from collections.abc import Mapping, Sequence

import onnx
from ounce_schemas.advice import MeasuredModel
from ounce_schemas.device import ReferenceTimes


def reference_of(content: bytes) -> str:
    """Which reference graph is like an ONNX file, as a field of `ReferenceTimes`."""
    kinds = {node.op_type for node in onnx.load_from_string(content).graph.node}
    if any(kind.startswith("TreeEnsemble") for kind in kinds):
        return "trees_us"
    return "convolution_us" if "Conv" in kinds else "matrix_us"


def ratios(here: ReferenceTimes, there: ReferenceTimes) -> dict[str, float]:
    """How many times as long each reference graph takes there; by fields of `ReferenceTimes`."""
    return {
        name: getattr(there, name) / getattr(here, name) for name in ReferenceTimes.model_fields
    }


def scale(
    timed: Sequence[MeasuredModel],
    references: Mapping[str, str],
    here: ReferenceTimes,
    there: ReferenceTimes,
) -> tuple[MeasuredModel, ...]:
    """What models take on another machine, about.

    Args:
        timed: on this machine.
        references: the reference graph that each model is like.
        here: of this machine.
        there: of the other.
    """
    times = ratios(here, there)

    def there_ms(ms: float, work: str) -> float:
        call_ms = min(ms, here.call_us / 1e3)
        return call_ms * times["call_us"] + (ms - call_ms) * times[work]

    return tuple(
        model.model_copy(
            update={
                "p50_ms": there_ms(model.p50_ms, references[model.model]),
                "p99_ms": there_ms(model.p99_ms, references[model.model]),
            }
        )
        for model in timed
    )
