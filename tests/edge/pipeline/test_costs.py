"""What an answer cost, and what the most accurate model would have cost instead."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ounce_edge.models.execution import Answered, Call, Outcome
from ounce_edge.pipeline.costs import Costs
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_schemas.routing import Objective

LIGHT, HEAVY = 0, 1


class FakeLatency(LatencyBelief):
    """Tells one excess."""

    def __init__(self, n: int, profile_ms: float, excess: float | None) -> None:
        super().__init__([n], [profile_ms], [profile_ms])
        self._excess = excess

    def excess_ms(self, n_items: int) -> float | None:
        return self._excess


def fake_job(n: int, *excess_ms: float | None) -> Any:
    """A group of n messages for the light one of two models, of which calls of n items take 2 and
    20 ms in a profile, and so much more in service."""
    models = []
    for profile_ms, excess in zip((2.0, 20.0), excess_ms, strict=True):
        latency = FakeLatency(n, profile_ms, excess)
        models.append(SimpleNamespace(latency=latency, is_on_gpu=False))
    plans = [SimpleNamespace(steps=[SimpleNamespace(model=m)]) for m in (LIGHT, HEAVY)]
    return SimpleNamespace(
        edition=SimpleNamespace(plans=SimpleNamespace(models=models)),
        group=SimpleNamespace(items=np.arange(n), plan=LIGHT),
        route=SimpleNamespace(plans=plans, routing=SimpleNamespace(objective=Objective.CPU_TIME)),
        view=SimpleNamespace(ranking=lambda n: SimpleNamespace(always_best=HEAVY)),
    )


@pytest.mark.parametrize(
    ("excess_ms", "best_ms"),
    [
        ((1.0, 4.0), 24.0),  # its own
        ((1.0, None), 21.0),  # it was not run lately: that of the one that ran
        ((-1.0, None), 20.0),  # which is never taken off
        ((None, None), 20.0),
    ],
)
def test_the_most_accurate_model_would_have_taken_its_profile_and_what_calls_take_more(
    excess_ms: tuple[float | None, float | None], best_ms: float
) -> None:
    answered = Answered(LIGHT, np.arange(4), cut_short=False, n_steps=1)
    outcome = Outcome(
        np.zeros((4, 1), np.float32), answered=[answered], calls=[Call(LIGHT, 0, 4, 3.0, 0.0)]
    )
    costs = Costs.of(fake_job(4, *excess_ms), outcome, answered)
    assert costs == pytest.approx((0.75, best_ms / 4, 0.0, 0.75, best_ms / 4 - 0.75))
