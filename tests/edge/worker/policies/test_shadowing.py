"""A shadow answers copies of some requests where nothing else is to be done; nobody gets them."""

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec
import pytest
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.worker.policies import shadowing
from ounce_edge.worker.policies.shadowing import MOST_COPIES, Shadowing
from ounce_schemas.canary import Shadow
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.policy_trial import shadow_policy
from ounce_schemas.prediction import Prediction

from tests.support.edge.ladders import DIGITS, FakeRecord, served
from tests.support.edge.pipelines import GOOD, HEAVY, LIGHT, edition, second_label
from tests.support.edge.serving import FakeDelivery, serving_of
from tests.support.process.wait import wait_until


class Shadowed:
    """A worker of digits with a shadow, and what both say."""

    def __init__(self) -> None:
        models = (
            served(DIGITS, "light", second_label, **LIGHT),
            served(DIGITS, "heavy", second_label, **HEAVY),
        )
        self.delivery = FakeDelivery()
        self.serving = serving_of(
            Pipeline(edition(*models, min_accuracy=0.6, max_latency_ms=5000.0)),
            delivery=self.delivery,
        )
        self.counted = Counter[str]()
        self.said: list[Prediction] = []
        self.shadowing = Shadowing(self.serving, self._send, self._count)
        self.serving.copy_to = self.shadowing.copy

    def _send(self, task: str, key: bytes, value: bytes, headers: object) -> None:
        assert (task, key) == ("digits", b"device-1")
        self.said.append(msgspec.json.decode(value, type=Prediction))

    def _count(self, task: str, outcome: str, n: int) -> None:
        self.counted[outcome] += n

    def begin(self, document: str, share: float = 1.0) -> None:
        self.shadowing.follow(version(document, share))

    def take(self, n: int, first: int = 0) -> None:
        now_ms = int(time.time() * 1e3)
        records = [
            FakeRecord(GOOD, [("ce_id", b"%d" % i)], offset_=i, timestamp_ms=now_ms)
            for i in range(first, first + n)
        ]
        asyncio.run(self.serving.take(records))
        self.serving.finish()


def version(document: str | None, share: float = 1.0) -> PolicyVersion:
    return PolicyVersion(
        number=4,
        base=3,
        id="x",
        author="ann",
        at=datetime(2026, 1, 1, tzinfo=UTC),
        document="{}",
        shadow=document and Shadow(document=document, share=share, tasks=("digits",)),
    )


@pytest.fixture
def shadowed() -> Iterator[Shadowed]:
    one = Shadowed()
    try:
        yield one
    finally:
        one.shadowing.close()


def test_a_shadow_answers_as_its_policy_says_beside_what_is_published(shadowed: Shadowed) -> None:
    shadowed.begin("{min_accuracy: 0.95, max_latency_ms: 5000}")
    shadowed.take(40)
    wait_until(lambda: len(shadowed.said) == 40, lambda: len(shadowed.said))
    assert {a.model_name for a in shadowed.said} == {"heavy"}
    assert {a.parameters.policy_version for a in shadowed.said} == {"v4-shadow"}
    assert sorted(int(a.id) for a in shadowed.said) == list(range(40))
    assert max(a.parameters.latency_ms for a in shadowed.said) < 5000
    assert len(shadowed.delivery.published) == 40
    assert shadowed.counted == {"answered": 40}


def test_a_share_is_copied_and_none_once_the_shadow_ends(shadowed: Shadowed) -> None:
    shadowed.begin("{max_latency_ms: 5000}", share=0.3)
    shadowed.take(400)
    wait_until(lambda: shadowed.counted.total() > 60, lambda: len(shadowed.said))
    shadowed.shadowing.follow(version(None))
    shadowed.take(100, first=1000)
    shadowed.begin("{max_latency_ms: 5000}")
    shadowed.take(10, first=2000)
    wait_until(lambda: any(int(a.id) == 2009 for a in shadowed.said), lambda: len(shadowed.said))
    ids = [int(a.id) for a in shadowed.said]
    assert 60 < sum(id_ < 400 for id_ in ids) < 190
    assert [id_ for id_ in ids if id_ >= 400] == list(range(2000, 2010))


def test_what_can_not_be_served_is_counted_and_not_sent(shadowed: Shadowed) -> None:
    shadowed.begin("{max_latency_ms: 5000}")
    shadowed.shadowing.copy([FakeRecord(b"junk", offset_=i) for i in range(3)])
    wait_until(lambda: shadowed.counted["dead-letter"] == 3, lambda: len(shadowed.said))
    assert shadowed.said == []


def test_copies_are_dropped_while_the_worker_has_something_to_do(
    shadowed: Shadowed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadowing, "MOST_WAIT_S", 0.2)
    monkeypatch.setattr(type(shadowed.serving), "is_idle", False)
    shadowed.begin("{max_latency_ms: 5000}")
    n = MOST_COPIES + 50
    shadowed.take(n)
    assert shadowed.counted["dropped"] >= 50
    wait_until(lambda: shadowed.counted["dropped"] == n, lambda: len(shadowed.said))
    assert len(shadowed.delivery.published) == n
    assert shadowed.said == []


def test_a_shadow_that_is_no_policy_is_refused() -> None:
    with pytest.raises(PolicyError, match="the shadow of v4"):
        shadow_policy(version("{min_accuracy: 7}"), "digits")
    assert shadow_policy(version("{}"), "bearing") is None
