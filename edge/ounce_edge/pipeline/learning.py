"""Learning from labels that came late."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
from ounce_schemas.label import Label, LabelOutcome

from ounce_edge.evidence.answer_memory import AnswerMemory
from ounce_edge.pipeline.answering import AnsweredBy
from ounce_edge.pipeline.edition import Edition
from ounce_edge.recommender.canary.sequential_test import Outcomes


class Learned(NamedTuple):
    """What labels said."""

    outcomes: Mapping[LabelOutcome, int]
    """What became of them."""
    answers: Mapping[str, Outcomes]
    """By version of the policy: labelled answers that count for the task's measure, and how many of
    them are not acceptable."""


def learn(edition: Edition, memory: AnswerMemory, labels: Sequence[Label], now_s: float) -> Learned:
    """Hold labels against the answers that they are about. Labels of plans that the edition has
    not, or with other models, are joined, and teach nothing of a plan."""
    joined = memory.join(labels)
    places = {key: p for p, key in enumerate(edition.plan_keys)}
    answers = dict[str, Outcomes]()
    for by, truth in joined.plans.items():
        plan, version = cast("AnsweredBy", by)
        counted = truth.acceptable[truth.strata >= 0]
        found = Outcomes(len(counted), int(np.count_nonzero(~counted)))
        answers[version] = answers.get(version, Outcomes()).plus(found)
        if plan not in places:
            continue
        for stratum, good, bad in truth.counts():
            edition.plans.accuracy.observe_labels(places[plan], good, bad, now_s, stratum=stratum)
    return Learned(joined.outcomes, answers)
