"""Joining answers with requests."""

from dataclasses import replace

import msgspec
import numpy as np
from ounce_schemas.measure import Measure
from ounce_services.devices.ledger import Ledger, Sent
from ounce_services.devices.report import Accuracy, Verdict
from ounce_services.devices.samples import Samples

from tests.services.fake_worker import make_prediction


def right(samples: Samples, item: int) -> str:
    return samples.spec.labels[int(samples.targets[item])]


def test_answers_are_joined_and_checked(samples: Samples) -> None:
    ledger = Ledger(samples)
    for n in range(3):
        ledger.record_sent(f"r-{n}", Sent(10.0, n))
    ledger.record_answer(make_prediction("r-0", label=right(samples, 0)), 10.05)
    ledger.record_answer(make_prediction("r-1", label="nonsense"), 10.2)
    assert (ledger.sent, ledger.answered, ledger.waiting) == (3, 2, 1)
    assert ledger.tallies.accuracy.correct == 1
    (deadline,) = ledger.tallies.deadlines()
    assert (deadline.kept_as_measured, deadline.kept_as_labelled) == (1, 2)


def test_repeats_count_once(samples: Samples) -> None:
    ledger = Ledger(samples)
    ledger.record_sent("r-0", Sent(0, 0))
    for _ in range(3):
        ledger.record_answer(make_prediction("r-0"), 1)
    assert (ledger.answered, ledger.repeated, ledger.waiting) == (1, 2, 0)
    assert ledger.tallies.accuracy.answered == 1


def test_answers_to_others_change_nothing(samples: Samples) -> None:
    ledger = Ledger(samples)
    ledger.record_answer(make_prediction("other-0"), 1)
    ledger.record_dead_letter("other-1", "too-large")
    assert (ledger.answered, ledger.repeated, ledger.dead_letters) == (0, 0, {})


def test_bare_records_are_joined_by_position(samples: Samples) -> None:
    ledger = Ledger(samples)
    ledger.record_sent(None, Sent(0, 0))
    ledger.record_sent(None, Sent(0, 1))
    ledger.record_position("t-0-7", Sent(0, 0))
    ledger.record_answer(make_prediction("t-0-7", label=right(samples, 0)), 0.01)
    # The second answer is read before its delivery report.
    ledger.record_answer(make_prediction("t-1-3", label=right(samples, 1)), 0.02)
    assert (ledger.answered, ledger.waiting) == (1, 1)
    ledger.record_position("t-1-3", Sent(0, 1))
    assert (ledger.answered, ledger.waiting, ledger.tallies.accuracy.correct) == (2, 0, 2)
    ledger.record_answer(make_prediction("t-1-3"), 0.03)
    assert ledger.repeated == 1


def test_dead_letters_settle_also_when_early(samples: Samples) -> None:
    ledger = Ledger(samples)
    ledger.record_sent("r-0", Sent(0, 0))
    ledger.record_sent(None, Sent(0, 0))
    ledger.record_dead_letter("r-0", "refused")
    ledger.record_dead_letter("t-0-0", "refused")
    ledger.record_position("t-0-0", Sent(0, 0))
    ledger.record_dead_letter("t-0-0", "refused")
    assert (ledger.dead_letters, ledger.waiting) == ({"refused": 2}, 0)


def test_what_kafka_does_not_take_is_not_waited_for(samples: Samples) -> None:
    ledger = Ledger(samples)
    ledger.record_sent("r-0", Sent(0, 0))
    ledger.record_sent(None, Sent(0, 0))
    ledger.record_undelivered("r-0")
    ledger.record_undelivered(None)
    assert (ledger.undelivered, ledger.waiting) == (2, 0)


def test_floors_are_judged_by_the_tasks_measure(samples: Samples) -> None:
    label, other = samples.spec.labels[:2]
    measure = Measure(kind="recall", label=label, false_alarms=0.01)
    spec = samples.spec.model_copy(update={"measure": measure})
    targets = np.array([0] * 20 + [1] * 80)
    rare = replace(samples, spec=spec, targets=targets)
    ledger = Ledger(rare)
    for n in range(100):
        ledger.record_sent(f"r-{n}", Sent(10.0, n))
        ledger.record_answer(make_prediction(f"r-{n}", label=other, min_accuracy=0.7), 10.01)
    seen = ledger.tallies.accuracy.report()
    assert (seen.answered, seen.correct) == (100, 80)  # as accurate as a constant guess
    assert seen.measured is not None
    assert (seen.measured.counted, seen.seen) == (20, 0.0)
    (floor,) = ledger.tallies.floors()
    assert floor.verdict is Verdict.BROKEN


def test_no_answer_that_counts_breaks_no_floor(samples: Samples) -> None:
    measure = Measure(kind="recall", label=samples.spec.labels[0], false_alarms=0.01)
    spec = samples.spec.model_copy(update={"measure": measure})
    ledger = Ledger(replace(samples, spec=spec, targets=np.ones(8, np.int64)))
    ledger.record_sent("r", Sent(10.0, 0))
    ledger.record_answer(make_prediction("r", label=samples.spec.labels[1]), 10.01)
    (floor,) = ledger.tallies.floors()
    assert floor.verdict is Verdict.WITHIN_SAMPLING_ERROR
    assert (
        msgspec.json.decode(msgspec.json.encode(floor.labelled_met), type=Accuracy)
        == floor.labelled_met
    )
