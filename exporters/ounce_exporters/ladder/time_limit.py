"""Keeping a training within a time: models that don't fit are left out, and said.

First by nominal work, so that the same table and limit give the same ladder again. Then by the
clock, for machines that are slower than nominal.
"""

import math
import time
from collections.abc import Callable, Sequence

from ounce_exporters.ladder.recipe import Recipe

_OVERHEAD_S = 2.0
"""Nominal, to export, check and time a model."""
_TELLING_S = 1.0
"""Nominal work that tells how slow a machine is; of less, the overhead and the first imports do."""


def within(recipes: Sequence[Recipe], limit_s: float) -> tuple[list[Recipe], list[Recipe]]:
    """Models whose nominal work fits in the limit, and the others; both in their order.

    The quick ones are taken first, so that most models fit. The quickest is always taken.

    Args:
        recipes: with their effort in nominal seconds.
        limit_s: for all of them.
    """
    kept: set[str] = set()
    left_s = limit_s
    for recipe in sorted(recipes, key=lambda recipe: recipe.effort):
        if not kept or recipe.effort <= left_s:
            kept.add(recipe.name)
            left_s -= recipe.effort
    return [r for r in recipes if r.name in kept], [r for r in recipes if r.name not in kept]


class TimeLimit:
    """Says before each model whether there is time for it.

    A model that has begun is finished: so how slow this machine is counts before, from what the
    models before took. Each takes some time whatever its work is, to be exported and timed. The
    quickest models come first.

    Args:
        limit_s: of the whole training; None: there is no limit.
        begun_s: when it began, by `clock`.
        clock: gives seconds.
    """

    def __init__(
        self,
        limit_s: float | None,
        begun_s: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limit_s = limit_s
        self._begun_s = begun_s
        self._clock = clock
        self._made: list[tuple[float, float]] = []
        """Nominal seconds of each model, and those that it took."""
        self._model_begun_s = begun_s
        self._begun_any = False

    def order(self, recipes: Sequence[Recipe]) -> list[Recipe]:
        """The quickest first where there is a limit."""
        if self._limit_s is None:
            return list(recipes)
        return sorted(recipes, key=lambda recipe: recipe.effort)

    def allows(self, recipe: Recipe) -> bool:
        """Whether a model may begin. The first may, so that there is a ladder."""
        now = self._clock()
        ends_s = now - self._begun_s + self._to_take_s(recipe.effort)
        if self._limit_s is not None and self._begun_any and ends_s > self._limit_s:
            return False
        self._begun_any = True
        self._model_begun_s = now
        return True

    def overrun(self) -> str | None:
        """What to say where all has taken longer than the limit."""
        spent_s = self._clock() - self._begun_s
        if self._limit_s is None or spent_s <= self._limit_s:
            return None
        return (
            f"training took {math.ceil(spent_s)} s, more than --time-limit {self._limit_s:g}: the "
            "quickest model is always made, and a model that has begun is finished"
        )

    def ended(self, recipe: Recipe) -> None:
        """The model that began last is made, or has failed."""
        self._made.append((recipe.effort, self._clock() - self._model_begun_s))

    def _to_take_s(self, effort: float) -> float:
        """Seconds that a model may take here, by its nominal ones."""
        if not self._made:
            return effort
        largest, took_s = max(self._made)
        slow = 1.0
        if largest >= _TELLING_S:
            slow = max((took_s - _OVERHEAD_S) / largest, 1.0)
        overhead_s = max(min(took - slow * worked for worked, took in self._made), 0.0)
        return overhead_s + slow * effort
