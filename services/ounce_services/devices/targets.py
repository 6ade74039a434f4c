"""What devices ask for: a mix of deadlines and accuracy floors."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ounce_schemas.card import ModelCard
from ounce_schemas.documents import CARD_FILE, read_card
from ounce_schemas.errors import ArtifactError
from ounce_schemas.policy import MAX_LATENCY_LIMIT_MS
from ounce_schemas.wording import shell_word


@dataclass(frozen=True)
class Targets:
    """Targets of one kind of message, and its share in the mix."""

    max_latency_ms: float | None
    min_accuracy: float | None
    weight: float

    @property
    def are_bare(self) -> bool:
        """No target at all: sent as a bare record, served under the policy's defaults."""
        return self.max_latency_ms is None and self.min_accuracy is None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `MAX_LATENCY_MS:MIN_ACCURACY:WEIGHT`, where `-` leaves a target to the policy.

        Raises:
            ValueError: saying what is wrong with `text`.
        """
        parts = text.split(":")
        if len(parts) != 3:
            raise ValueError(f"{text!r} is not MAX_LATENCY_MS:MIN_ACCURACY:WEIGHT")
        try:
            latency, accuracy = (None if p == "-" else float(p) for p in parts[:2])
            weight = float(parts[2])
        except ValueError as e:
            raise ValueError(f"{text!r} holds something that is no number") from e
        if latency is not None and not 0 < latency <= MAX_LATENCY_LIMIT_MS:
            raise ValueError(f"{text!r}: the deadline must be in (0, {MAX_LATENCY_LIMIT_MS:g}] ms")
        if accuracy is not None and not 0 <= accuracy <= 1:
            raise ValueError(f"{text!r}: the accuracy floor must be in [0, 1]")
        if not 0 < weight < math.inf:
            raise ValueError(f"{text!r}: the weight must be positive")
        return cls(latency, accuracy, weight)


def default_mix(accuracy_lows: Sequence[float]) -> tuple[Targets, ...]:
    """A mix that uses a whole ladder, whatever its models can do.

    Args:
        accuracy_lows: lower bound of the accuracy of each model, in [0, 1]; at least one.

    Returns:
        Kinds of messages; their weights sum to 1. Nineteen in twenty are easy or ordinary, one of
        these in six is bare. One in twenty asks for what only the most accurate model gives. Four
        in a thousand ask for what nothing can give (a floor above every model's, a deadline of
        1 ms): so it can be seen how a miss is labelled, and the objectives hold all the same.
    """
    lows = sorted(accuracy_lows)
    loose, middle = _round_down(lows[0]), _round_down(lows[len(lows) // 2])
    strict = math.floor(lows[-1] * 1e4) / 1e4
    unreachable = math.ceil((1 + lows[-1]) / 2 * 1e3) / 1e3
    return (
        Targets(500, loose, 0.356),
        Targets(100, middle, 0.22),
        Targets(50, loose, 0.17),
        Targets(None, None, 0.15),
        Targets(500, middle, 0.05),
        Targets(1000, strict, 0.05),
        Targets(1000, unreachable, 0.002),
        Targets(1, loose, 0.002),
    )


def read_default_mix(models: Path, task: str) -> tuple[Targets, ...]:
    """The default mix for the ladder in `models/<task>`.

    Raises:
        ArtifactError: the folder holds no model card, or one that is invalid.
    """
    cards: list[ModelCard] = [
        read_card(path) for path in sorted((models / task).glob(f"*/{CARD_FILE}"))
    ]
    if not cards:
        raise ArtifactError(
            f"{models / task} holds no model card to derive targets from: make a ladder with "
            f"`ounce train {task} --models {shell_word(models)}`, or give --targets"
        )
    return default_mix([card.validation_accuracy.low for card in cards])


def _round_down(accuracy: float) -> float:
    return math.floor(accuracy * 100) / 100
