"""A canary that does worse is stopped, by whichever worker has seen enough, and by no other."""

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ounce_edge.recommender.canary.sequential_test import Outcomes
from ounce_schemas.canary import Canary
from ounce_schemas.errors import PolicyError
from ounce_schemas.event import EventKind
from ounce_schemas.policy_history import Change

from tests.edge.worker.policies.test_following import Followed
from tests.support.edge.ladders import FakeRecord

DOCUMENT = "{min_accuracy: 0.5}"
STRICT = Canary(document="{min_accuracy: 0.6}", share=0.2)


class Trial(Followed):
    """A worker that knows of a canary, and what it writes."""

    def __init__(self, folder: Path, canary: Canary = STRICT) -> None:
        super().__init__(folder)
        self.n_begun = 0
        self.canaries.begin_following = self._begin
        self.apply_canary(canary)

    def _begin(self) -> None:
        self.n_begun += 1

    def apply_canary(self, canary: Canary) -> None:
        self.apply(Change(DOCUMENT, "ann", canary=canary))

    def label(self, baseline: Outcomes, canary: Outcomes) -> None:
        """What labels say within a second."""
        name = self.in_force
        counts = self.serving.trial_counts
        counts.observe_answers("digits", {name: baseline, f"{name}-canary": canary})
        self.canaries.look()

    @property
    def in_force(self) -> str:
        return self.versions[0]

    @property
    def runs(self) -> bool:
        return bool(self.pipelines[0].edition.policy.rules)

    def hand_to(self, other: "Trial") -> None:
        """What this one wrote reaches another worker."""
        for key, value in self.written_evidence:
            other.canaries.take(FakeRecord(value, key_=key))
        other.canaries.caught_up()


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    started = Trial(tmp_path / "one")
    assert not started.runs  # nobody knows yet whether it is stopped
    started.canaries.caught_up()
    assert started.runs
    return started


def label_until_stopped(workers: list[Trial], draw: Callable[[], tuple[Outcomes, Outcomes]]) -> int:
    for second in range(1, 600):
        for worker in workers:
            worker.label(*draw())
            for other in workers:
                if other is not worker:
                    worker.hand_to(other)
        if not all(worker.runs for worker in workers):
            return second
    return 0


def test_a_canary_begins_once_it_is_known_not_to_be_stopped(trial: Trial) -> None:
    assert trial.n_begun == 1
    kinds = [kind for kind, task, _ in trial.told() if task == "digits"]
    assert kinds == [EventKind.POLICY_CHANGED, EventKind.CANARY_STARTED]


def test_one_that_answers_worse_is_stopped_and_says_why(trial: Trial) -> None:
    trial.told()
    rng = np.random.default_rng(1)
    seconds = label_until_stopped(
        [trial],
        lambda: (Outcomes(60, rng.binomial(60, 0.03)), Outcomes(15, rng.binomial(15, 0.1))),
    )
    assert 0 < seconds < 60
    assert trial.versions == ["v1", "v1"]
    told = [event for event in trial.events if event.task == "digits"]
    assert [event.kind for event in told] == [EventKind.CANARY_STOPPED]
    assert "task digits is worse in accuracy by more than 0.005" in told[0].text
    key, value = trial.written_evidence[-1]
    assert key.startswith(b"stop/")
    assert json.loads(value)["reason"] in told[0].text
    n = len(trial.written_evidence)
    trial.label(Outcomes(9, 0), Outcomes(9, 9))
    assert len(trial.written_evidence) == n


def test_what_two_workers_saw_stops_it_sooner_than_what_one_saw(
    trial: Trial, tmp_path: Path
) -> None:
    other = Trial(tmp_path / "two")
    other.canaries._run = "w-2/1"
    other.written = trial.written
    other.following._tried = None
    other.following._history = trial.following._history
    other.following.caught_up()
    other.canaries.caught_up()
    alone = Trial(tmp_path / "three")
    alone.canaries.caught_up()

    def draw() -> tuple[Outcomes, Outcomes]:
        return Outcomes(40, 1), Outcomes(10, 1)

    together = label_until_stopped([trial, other], draw)
    assert not any(worker.runs for worker in (trial, other))
    assert 0 < together < label_until_stopped([alone], draw)


def test_a_canary_that_is_no_worse_goes_on(trial: Trial) -> None:
    rng = np.random.default_rng(2)
    seconds = label_until_stopped(
        [trial],
        lambda: (Outcomes(60, rng.binomial(60, 0.05)), Outcomes(15, rng.binomial(15, 0.05))),
    )
    assert seconds == 0
    assert max(trial.canaries.evidence().values()) < 1


def test_one_that_was_stopped_is_never_begun_again(trial: Trial, tmp_path: Path) -> None:
    while trial.runs:
        trial.label(Outcomes(50, 0), Outcomes(50, 50))
    later = Trial(tmp_path / "later")
    later.following._history = trial.following._history
    later.following.caught_up()
    trial.hand_to(later)
    assert not later.runs
    trial.told()
    trial.apply_canary(STRICT)
    assert trial.runs
    assert trial.in_force == "v2"


def test_a_broken_canary_replaces_nothing(trial: Trial) -> None:
    for broken in ("{min_accuracy: 7}", "{tasks: {digits: {allow: [typo]}}}"):
        trial.told()
        trial.apply_canary(Canary(document=broken, share=0.1))
        assert {kind for kind, *_ in trial.told()} == {EventKind.POLICY_REFUSED}
        assert trial.in_force == "v1"
        assert trial.runs


def evidence_of(version: str, **other: object) -> FakeRecord:
    """Of a run of another worker, with these things otherwise than they may be."""
    comparison = {
        "task": "digits",
        "criterion": "accuracy",
        "baseline": [1, 1],
        "canary": [1, 1],
        "growth": [0.0] * 5,
        **other,
    }
    evidence = {"canary": version, "run": "w", "at_ms": 1, "comparisons": [comparison]}
    return FakeRecord(json.dumps(evidence).encode(), key_=b"evidence/i/w")


def test_records_that_are_none_and_evidence_of_other_programs_change_nothing(trial: Trial) -> None:
    version = trial.written.current
    assert version is not None
    with pytest.raises(PolicyError, match="not a record of a canary"):
        trial.canaries.take(FakeRecord(b"junk", key_=b"stop/i"))
    trial.canaries.take(FakeRecord(None, key_=b"stop/i"))
    trial.canaries.take(evidence_of(version.id, growth=[1e9]))
    trial.canaries.caught_up()
    trial.label(Outcomes(50, 0), Outcomes(5, 0))
    assert trial.runs


@pytest.mark.parametrize(
    "wrong",
    [
        {"growth": [math.nan] * 5},
        {"growth": [1e308] * 5},
        {"baseline": [10**30, 0]},
        {"canary": [1, 2]},
    ],
)
def test_evidence_of_impossible_numbers_is_refused(trial: Trial, wrong: dict[str, object]) -> None:
    """It would end the look at a canary, or its comparison, for all workers."""
    version = trial.written.current
    assert version is not None
    with pytest.raises(PolicyError, match="not a record of a canary"):
        trial.canaries.take(evidence_of(version.id, **wrong))
