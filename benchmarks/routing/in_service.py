"""What a worker on Kafka adds to a simulation: learned from one run of it, to foresee another one.

Models are timed in a tight loop and a pipeline without Kafka. In a worker at a low rate each call
finds the caches as the rest of the worker left them, the client's threads take their share of the
core, and a message is under way for a time that varies. All three are taken from a worker's answers
to a workload of its own, at another rate than the one that is to be foreseen:

- what calls took over the tight loop's median, from the answers' `cost_ms`; most messages are alone
  in their batch there, so that it is the time of one call;
- the processor time that the simulation of that workload does not account for, per slice;
- the time that a message is under way: the latency of each message less the simulated one. It stays
  a series in time, since a stall delays neighbours together.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from ounce_edge.recommender.arrays import Floats
from ounce_schemas.prediction import Prediction

from benchmarks.routing.overhead import Overhead
from benchmarks.routing.rules import OURS, RULES
from benchmarks.routing.simulation import Result, simulate
from benchmarks.routing.tables import ServiceTimes, Table
from benchmarks.routing.workloads import Workload

FEWEST_CALLS = 20
"""A model that answered less often is believed to be like the others."""


@dataclass(frozen=True)
class InService:
    """What a worker's run showed of it."""

    excess_ms: Sequence[Floats]
    """Per model: times of calls of one message, less the median in a tight loop."""
    overhead: Overhead
    """With what the worker's processor did beside, per slice."""
    sent_ms: Floats
    """When the messages of that run were sent, from its begin."""
    under_way_ms: Floats
    """How long each of them was under way."""

    def simulate(self, table: Table, workload: Workload) -> Result:
        """Foresee how the worker serves a workload."""
        at_ms = workload.arrival_ms % self.sent_ms[-1]
        return simulate(
            workload,
            RULES[OURS](table, self.overhead),
            transport_ms=np.interp(at_ms, self.sent_ms, self.under_way_ms),
            excess_ms=self.excess_ms,
        )


def learn(
    table: Table,
    overhead: Overhead,
    workload: Workload,
    answers: Sequence[Prediction],
    processor_ms: float,
) -> InService:
    """Learn from a run.

    Args:
        table: the models.
        overhead: as measured without Kafka.
        workload: what was sent.
        answers: one per message, in the same order.
        processor_ms: processor time of the worker meanwhile.
    """
    latency_ms = np.array([answer.parameters.latency_ms for answer in answers])
    known = InService(_excess_ms(table, answers), overhead, workload.arrival_ms,
                      np.zeros(len(workload)))  # fmt: skip
    alone = known.simulate(table, workload)
    beside_ms = (processor_ms - alone.busy_ms) / alone.n_slices
    poll_ms = max(overhead.poll_ms + beside_ms, 0.0)
    known = replace(known, overhead=replace(overhead, poll_ms=poll_ms))
    alone = known.simulate(table, workload)
    simulated_ms = alone.finish_ms - workload.arrival_ms
    return replace(known, under_way_ms=np.maximum(latency_ms - simulated_ms, 0.0))


def _excess_ms(table: Table, answers: Sequence[Prediction]) -> Sequence[Floats]:
    """Per model, of the answers that took one call."""
    times = ServiceTimes(table, np.random.default_rng(0))
    plans = {plan.name: plan for plan in table.plans}
    found: list[list[float]] = [[] for _ in table.models]
    for answer in answers:
        first = plans[answer.parameters.plan].steps[0].model
        if answer.model_name == table.models[first]:
            found[first].append(answer.parameters.cost_ms - times.median_ms(first, 1))
    everything = np.concatenate(found)
    return [np.array(of_one) if len(of_one) >= FEWEST_CALLS else everything for of_one in found]
