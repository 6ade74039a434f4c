"""Whether somebody serves a task: what is told of it, and which calls are refused."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from ounce_edge.broker.group_question import GroupAnswer
from ounce_edge.front.statuses import NotAnsweredError
from ounce_edge.front.workers import Workers

from tests.support.edge.stand_in_front import Client, StandIn, serve, told

READ = GroupAnswer((), True, frozenset({"ounce.digits.requests", "ounce.other.requests"}))
NOBODY = GroupAnswer((), True, frozenset({"ounce.other.requests"}))
SHARING = GroupAnswer(None, True, None)
DENIED = GroupAnswer(None, False)


class Clock:
    at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def workers(clock: Clock) -> Workers:
    return Workers(("digits", "other"), "ounce", 10.0, clock)


def refuses(workers: Workers, task: str = "digits") -> bool:
    try:
        workers.admit(task)
    except NotAnsweredError:
        return True
    return False


def test_before_kafka_was_asked_nobody_is_refused_and_nothing_is_promised(
    workers: Workers, clock: Clock
) -> None:
    clock.at_s += 1e6
    assert not refuses(workers)
    assert "not been asked" in (workers.trouble("digits") or "")


@pytest.mark.parametrize("told", [READ, SHARING, DENIED, None])
def test_where_somebody_may_serve_nobody_is_refused(
    workers: Workers, clock: Clock, told: GroupAnswer | None
) -> None:
    workers.note_group(NOBODY)
    clock.at_s += 100
    workers.note_group(told)
    assert not refuses(workers)
    assert workers.trouble("digits") is None
    workers.note_group(NOBODY)
    assert not refuses(workers)  # a start may take its time, from here on


def test_a_task_that_nobody_serves_is_refused_once_a_start_would_be_over(
    workers: Workers, clock: Clock
) -> None:
    workers.note_group(NOBODY)
    assert "start `ounce worker`" in (workers.trouble("digits") or "")
    assert (workers.trouble("other"), refuses(workers)) == (None, False)
    clock.at_s += 9.9
    workers.note_group(NOBODY)
    assert not refuses(workers)
    clock.at_s += 0.2
    assert refuses(workers)
    with pytest.raises(NotAnsweredError, match=r"group ounce .* reads ounce\.digits\.req") as told:
        workers.admit("digits")
    assert (told.value.status, told.value.headers) == (503, {"Retry-After": "1"})
    assert not refuses(workers, "other")
    workers.note_group(READ)
    assert not refuses(workers)


def test_workers_of_another_group_are_found_by_their_answers(
    workers: Workers, clock: Clock
) -> None:
    before_s = workers.admit("digits")
    clock.at_s += 1
    workers.note_group(NOBODY)
    clock.at_s += 1
    workers.note_answer("digits", before_s)  # who gave it has left the group since
    clock.at_s += 58
    assert refuses(workers)
    clock.at_s += 1
    tried_s = workers.admit("digits")
    assert refuses(workers)
    workers.note_answer("digits", tried_s)
    for _ in range(3):
        clock.at_s += 1000
        workers.note_group(NOBODY)
        assert [refuses(workers), refuses(workers)] == [False, False]
    workers.note_group(READ)
    workers.note_group(NOBODY)
    clock.at_s += 11
    assert refuses(workers)


def test_that_kafka_does_not_tell_is_told_once(
    workers: Workers, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        workers.note_group(DENIED)
    assert caplog.text.count("does not let this user describe the group ounce") == 1


class Question:
    """As `GroupQuestion`; fails once, and then finds nobody."""

    def __init__(self) -> None:
        self.n_asked = 0

    def ask(self) -> GroupAnswer | None:
        self.n_asked += 1
        if self.n_asked == 1:
            raise RuntimeError("no thread can be started")
        return NOBODY


def test_a_look_that_fails_is_repeated(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    async def watch() -> None:
        watching = asyncio.create_task(workers.watch(question))
        async with asyncio.timeout(60):
            while "start `ounce worker`" not in (workers.trouble("digits") or ""):
                await asyncio.sleep(0.01)
        watching.cancel()

    monkeypatch.setattr("ounce_edge.front.workers._EVERY_S", 0.01)
    question = Question()
    asyncio.run(watch())
    assert question.n_asked > 1


def test_a_call_that_nobody_would_answer_is_refused_at_once_and_one_without_waiting_is_sent() -> (
    None
):
    async def test(stand: StandIn, client: Client) -> None:
        stand.workers.note_group(NOBODY)
        assert (await told(client, "/v2/models/digits/ready", method="GET"))[0] == 503
        assert (await told(client, "/v2/health/ready", method="GET"))[0] == 503
        assert (await told(client, data=b"1"))[0] == 200
        stand.workers.note_group(READ)
        stand.workers.note_group(NOBODY)
        stand.at_s += 20
        status, said = await told(client, data=b"1")
        assert (status, "no worker of the group ounce" in said["error"]) == (503, True)
        assert len(stand.sent) == 1
        assert (await told(client, data=b"1", headers={"Prefer": "respond-async"}))[0] == 202
        stand.workers.note_group(READ)
        assert (await told(client, "/v2/models/digits/ready", method="GET"))[0] == 200
        assert (await told(client, data=b"1"))[0] == 200

    serve(test)


def test_a_call_that_is_refused_for_itself_leaves_the_one_that_is_sent_all_the_same_to_others() -> (
    None
):
    async def test(stand: StandIn, client: Client) -> None:
        stand.workers.note_group(NOBODY)
        stand.at_s += 60
        large = b"1" * (stand.settings.max_message_bytes + 1)
        assert (await told(client, data=large))[0] == 413
        packed = {"Content-Encoding": "gzip"}
        assert (await told(client, data=b"1", headers=packed))[0] == 400
        long = {f"ce-{name}": "1" * 6000 for name in "xyz"}
        assert (await told(client, data=b"1", headers=long))[0] == 431
        assert not stand.sent
        stand.is_answering = False
        answers = await asyncio.gather(*(told(client, data=slowly()) for _ in range(3)))
        assert sorted(status for status, _ in answers) == [503, 503, 504]
        assert len(stand.sent) == 1

    async def slowly() -> AsyncIterator[bytes]:
        """All three are let in before one of them is sent."""
        yield b"1"
        arrived.append(1)
        async with asyncio.timeout(60):
            while len(arrived) < 3:
                await asyncio.sleep(0.01)
        yield b"1"

    arrived: list[int] = []
    serve(test, grace_s=0.01)


def test_who_waited_in_vain_hears_that_nobody_serves() -> None:
    async def test(stand: StandIn, client: Client) -> None:
        stand.is_answering = False
        stand.workers.note_group(NOBODY)
        status, said = await told(client, data=b"1")
        assert (status, "start `ounce worker`" in said["error"]) == (504, True)

    serve(test, grace_s=0.01)
