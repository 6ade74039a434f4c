"""Joining answers with requests."""

from ounce_services.devices.ledger import Ledger, Sent
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
