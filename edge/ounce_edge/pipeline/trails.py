"""How answers came about: kept for traces, and only where somebody asks for it."""

from typing import NamedTuple

from ounce_edge.models.execution import Answered, Outcome
from ounce_edge.pipeline.job import Job


class Trail(NamedTuple):
    """The way of requests that one step of a plan answered."""

    job: Job
    outcome: Outcome
    answered: Answered
    accuracy_low: float
    encoded_at_s: float
    """When their answers were written, on the pipeline's steady clock."""
