"""Answers of a shadow against those that were published."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import numpy as np
from ounce_schemas.prediction import Prediction

from ounce_services.policies.listing import table

Records = Iterable[tuple[bytes | None, bytes | None]]
"""Keys and values."""


_NAMES = ("deadlines kept", "floors kept", "compute each, ms", "latency p50, ms", "latency p99, ms")


@dataclass
class Side:
    """What one policy did with the same messages."""

    in_time: int = 0
    floors_kept: int = 0
    cost_ms: float = 0.0
    latency_ms: list[float] = field(default_factory=list)

    def add(self, answer: Prediction) -> None:
        """Count one answer."""
        of = answer.parameters
        self.in_time += of.deadline_met
        self.floors_kept += of.floor_met
        self.cost_ms += of.cost_ms
        self.latency_ms.append(of.latency_ms)


@dataclass
class Comparison:
    """Answers of one version of a shadow that have a published counterpart."""

    n: int = 0
    n_agree: int = 0
    shadow: Side = field(default_factory=Side)
    published: Side = field(default_factory=Side)


def compare(shadow: Records, published: Records) -> Mapping[str, Comparison]:
    """Join answers by device and id; by version of the shadow's policy. What was answered twice
    counts as it was answered last.

    Args:
        shadow: its topic.
        published: predictions.
    """
    beside = {where: answer for where, answer in map(_read, shadow) if answer is not None}
    found: defaultdict[str, Comparison] = defaultdict(Comparison)
    joined = {
        where: answer
        for where, answer in map(_read, published)
        if answer is not None and where in beside
    }
    for where, answer in joined.items():
        other = beside[where]
        one = found[other.parameters.policy_version]
        one.n += 1
        one.n_agree += _says(answer) == _says(other)
        one.shadow.add(other)
        one.published.add(answer)
    return found


def comparison_text(found: Mapping[str, Comparison]) -> str:
    """One table a version."""
    parts = [_text(version, each) for version, each in found.items()]
    return "\n\n".join(parts) or "no answer of a shadow has a published counterpart"


def _text(version: str, of: Comparison) -> str:
    rows = [
        ("", "shadow", "published"),
        *zip(_NAMES, _figures(of.shadow, of.n), _figures(of.published, of.n), strict=True),
    ]
    return f"{version}: {of.n} messages, {of.n_agree / of.n:.2%} say the same\n{table(rows)}"


def _figures(side: Side, n: int) -> tuple[str, ...]:
    """In the order of `_NAMES`."""
    p50_ms, p99_ms = np.percentile(side.latency_ms, [50, 99])
    return (
        f"{side.in_time / n:.2%}",
        f"{side.floors_kept / n:.2%}",
        f"{side.cost_ms / n:.4g}",
        f"{p50_ms:.3g}",
        f"{p99_ms:.3g}",
    )


def _read(record: tuple[bytes | None, bytes | None]) -> tuple[tuple[bytes, str], Prediction | None]:
    key, value = record
    try:
        answer = msgspec.json.decode(value or b"", type=Prediction)
    except msgspec.MsgspecError:
        return (b"", ""), None
    return (key or b"", str(answer.id)), answer


def _says(answer: Prediction) -> object:
    """What an answer says: the label or the value."""
    return next((out.data for out in answer.outputs if out.name in ("label", "value")), None)
