"""Answers of a shadow against those that were published: what they say, keep and cost."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from ounce_schemas.prediction import Prediction
from ounce_schemas.wording import counted, figure, table

from ounce_services.devices.latencies import LatencyHistogram, quantile_ms

MOST_CLASSES = 200
"""That are told apart; messages of further ones count among all messages alone."""
FIGURES_HEAD = ("", "shadow", "published")
CLASSES_HEAD = (
    "class",
    "messages",
    "say the same",
    "shadow says instead",
    "deadlines kept, shadow",
    "published",
    "compute each, ms, shadow",
    "published",
)


class Said(NamedTuple):
    """An answer, as far as it is compared."""

    policy_version: str
    data: object
    """Labels or values, one a row."""
    label: str | None
    """Of one row with classes."""
    in_time: bool
    floor_kept: bool
    cost_ms: float
    latency_ms: float


def said(answer: Prediction) -> Said:
    """What is compared of an answer."""
    of = answer.parameters
    out = next((out for out in answer.outputs if out.name in ("label", "value")), None)
    data = None if out is None else out.data
    label = data[0] if data and len(data) == 1 and isinstance(data[0], str) else None
    return Said(
        of.policy_version, data, label, of.deadline_met, of.floor_met, of.cost_ms, of.latency_ms
    )


@dataclass
class Side:
    """What one policy did with the same messages."""

    in_time: int = 0
    floors_kept: int = 0
    cost_ms: float = 0.0

    def add(self, answer: Said) -> None:
        """Count one answer."""
        self.in_time += answer.in_time
        self.floors_kept += answer.floor_kept
        self.cost_ms += answer.cost_ms


@dataclass
class Agreement:
    """Messages that both answered."""

    n: int = 0
    n_agree: int = 0
    shadow: Side = field(default_factory=Side)
    published: Side = field(default_factory=Side)
    instead: Counter[str] = field(default_factory=Counter)
    """Classes that the shadow named where they do not say the same."""

    def add(self, shadow: Said, published: Said) -> None:
        """Count one message."""
        agree = shadow.data == published.data
        self.n += 1
        self.n_agree += agree
        self.shadow.add(shadow)
        self.published.add(published)
        other = None if agree else shadow.label
        if other is not None and (other in self.instead or len(self.instead) < MOST_CLASSES):
            self.instead[other] += 1

    @property
    def agreement(self) -> float:
        """Share of the messages on which both say the same."""
        return self.n_agree / max(self.n, 1)

    @property
    def mostly_instead(self) -> str:
        """The class that the shadow mostly names where they differ; empty: none."""
        return self.instead.most_common(1)[0][0] if self.instead else ""


@dataclass
class Comparison(Agreement):
    """Answers of one version of a shadow that have a published counterpart. Its size does not grow
    with their number."""

    shadow_latencies: LatencyHistogram = field(default_factory=LatencyHistogram)
    published_latencies: LatencyHistogram = field(default_factory=LatencyHistogram)
    classes: dict[str, Agreement] = field(default_factory=dict)
    """By the class that was published."""

    def add(self, shadow: Said, published: Said) -> None:
        """Count one message."""
        super().add(shadow, published)
        self.shadow_latencies.add(shadow.latency_ms)
        self.published_latencies.add(published.latency_ms)
        name = published.label
        if name is not None and (name in self.classes or len(self.classes) < MOST_CLASSES):
            self.classes.setdefault(name, Agreement()).add(shadow, published)


def figure_rows(of: Comparison) -> list[tuple[str, str, str]]:
    """What both kept and cost, under `FIGURES_HEAD`; needs one message at least."""
    beside, public, n = of.shadow, of.published, of.n
    quick, slow = of.shadow_latencies.counts, of.published_latencies.counts
    return [
        ("deadlines kept", f"{beside.in_time / n:.2%}", f"{public.in_time / n:.2%}"),
        ("floors kept", f"{beside.floors_kept / n:.2%}", f"{public.floors_kept / n:.2%}"),
        ("compute each, ms", figure(beside.cost_ms / n, 4), figure(public.cost_ms / n, 4)),
        *(
            (
                f"latency p{p}, ms",
                figure(quantile_ms(quick, p / 100)),
                figure(quantile_ms(slow, p / 100)),
            )
            for p in (50, 99)
        ),
    ]  # fmt: skip


def class_rows(of: Comparison) -> list[tuple[str, ...]]:
    """One a class, under `CLASSES_HEAD`; those that agree least come first."""
    ordered = sorted(of.classes.items(), key=lambda item: (item[1].agreement, item[0]))
    return [
        (
            name,
            f"{one.n:,}",
            f"{one.agreement:.2%}",
            one.mostly_instead,
            *(f"{side.in_time / one.n:.2%}" for side in (one.shadow, one.published)),
            *(figure(side.cost_ms / one.n, 4) for side in (one.shadow, one.published)),
        )
        for name, one in ordered
    ]


def comparison_text(found: Mapping[str, Comparison]) -> str:
    """Tables of each version."""
    parts = [_text(version, each) for version, each in found.items() if each.n]
    return "\n\n".join(parts) or "no answer of a shadow has a published counterpart"


def _text(version: str, of: Comparison) -> str:
    parts = [
        f"{version}: {counted(of.n, 'message')}, {of.agreement:.2%} say the same",
        table([FIGURES_HEAD, *figure_rows(of)]),
    ]
    if of.classes:
        parts += ["", table([CLASSES_HEAD, *class_rows(of)])]
    return "\n".join(parts)
