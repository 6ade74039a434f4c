"""Figures and troubles that are read from workers' pages."""

import pytest
from ounce_edge.pipeline.snapshot import Snapshot
from ounce_schemas.event import EventKind
from ounce_services.workers.figures import task_figures, worst_decisions
from ounce_services.workers.growth import Growth, Look
from ounce_services.workers.pages import Page, PageError, base_url, read_page
from ounce_services.workers.troubles import incidents, troubles

from tests.services.workers.serving_pages import HEAVY, LIGHT, FakeWorker, page_of

HOSTILE = 'a"b\\c\nd[red]e'


def test_figures_are_of_the_time_between_two_looks() -> None:
    with page_of(FakeWorker()) as worker:
        worker.answer(LIGHT, [2.0] * 8)
        first = read_page(worker.address)
        worker.answer(LIGHT, [4.0] * 3, late=1)
        worker.answer(HEAVY, [40.0], under=1)
        second = read_page(worker.address)
    (whole,) = task_figures([Look(second)])
    assert (whole.answered, whole.per_s) == (12, None)
    assert whole.models == {LIGHT: 11 / 12, HEAVY: 1 / 12}
    (lately,) = task_figures([Look(second, first)])
    assert lately.answered == 4
    assert lately.per_s == pytest.approx(4 / (second.at_s - first.at_s))
    assert lately.models == {LIGHT: 0.75, HEAVY: 0.25}
    assert (lately.deadlines_kept, lately.floors_kept) == (0.75, 0.75)
    assert lately.p50_ms is not None
    assert 3.0 <= lately.p50_ms <= 5.0  # the bucket of 4 ms


def test_figures_of_several_workers_are_summed() -> None:
    with page_of(FakeWorker()) as one, page_of(FakeWorker()) as other:
        one.answer(LIGHT, [1.0] * 3)
        other.answer(HEAVY, [1.0])
        other.metrics.set_lag({("digits", 0): 5})
        looks = [Look(read_page(worker.address)) for worker in (one, other)]
    (figures,) = task_figures(looks)
    assert (figures.answered, figures.lag) == (4, 5)
    assert figures.models == {LIGHT: 0.75, HEAVY: 0.25}


def test_a_worker_that_began_anew_is_counted_from_its_start() -> None:
    def page(n: float) -> Page:
        return Page("w", 0.0, {"ounce_messages_total": [({"task": "digits"}, n)]})

    assert Growth([Look(page(7.0), page(100.0))]).total("ounce_messages_total") == 7.0
    assert Growth([Look(page(107.0), page(100.0))]).total("ounce_messages_total") == 7.0


def test_the_worst_decisions_come_first() -> None:
    with page_of(FakeWorker()) as worker:
        worker.answer(LIGHT, [1.0] * 10, late=1)
        worker.answer(HEAVY, [1.0] * 10, late=2, under=3)
        look = Look(read_page(worker.address))
    worst = worst_decisions([look])
    assert [(w.model, w.deadline_misses, w.floor_misses) for w in worst] == [
        (HEAVY, 2, 3),
        (LIGHT, 1, 0),
    ]
    assert worst_decisions([look], most=1) == worst[:1]


def test_labels_from_outside_are_read_as_they_were_written() -> None:
    with page_of(FakeWorker(HOSTILE)) as worker:
        worker.answer(LIGHT, [1.0])
        look = Look(read_page(worker.address))
    (figures,) = task_figures([look])
    assert (figures.task, figures.answered) == (HOSTILE, 1)


def test_troubles_are_what_the_page_shows() -> None:
    with page_of(FakeWorker()) as worker:
        assert troubles(read_page(worker.address)) == []
        worker.health.draining = True
        worker.metrics.show(
            Snapshot("digits", [], 0.9, {LIGHT: True}, {LIGHT: True}, 0, False, False)
        )
        worker.metrics.show_policy_stale(True)
        worker.metrics.show_unconfirmed(9.0)
        worker.metrics.set_blocked({("digits", 2): 30.0})
        worker.metrics.count_lost("digits", 2, 4)
        found = [trouble.text for trouble in troubles(read_page(worker.address))]
    assert found == [
        "not ready: draining",
        f"model {LIGHT} is suspended",
        f"labels contradict the card of model {LIGHT}: `ounce models retire digits {LIGHT}` "
        "withdraws it",
        "partition 2 is blocked for 30 s by another producer's transaction",
        "4 requests were dropped by the topic before being read",
        "the latest policy is not in force: `ounce policy status`",
        "the broker has confirmed nothing for 9 s",
    ]


def test_incidents_are_bad_news_since_the_look_before() -> None:
    with page_of(FakeWorker()) as worker:
        worker.metrics.observe_event("digits", EventKind.OVERLOAD)
        before = read_page(worker.address)
        worker.metrics.observe_event("digits", EventKind.OVERLOAD_OVER)
        worker.metrics.observe_event("digits", EventKind.MODEL_SUSPENDED)
        worker.metrics.observe_event("digits", EventKind.MODEL_SUSPENDED)
        now = read_page(worker.address)
    assert [i.text for i in incidents(Look(now, before))] == ["model-suspended, 2 times"]
    assert [i.text for i in incidents(Look(now))] == ["model-suspended, 2 times", "overload"]


@pytest.mark.parametrize(
    "address", ["", "ftp://host:1", "host:99999", "host/metrics/more", "http://", "host?x=1"]
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(PageError, match=r"no worker's address: HOST:PORT"):
        base_url(address)


@pytest.mark.parametrize("address", ["edge:9464", "http://edge:9464/", "http://edge:9464/metrics"])
def test_an_address_has_several_forms(address: str) -> None:
    assert base_url(address) == "http://edge:9464"


def test_what_is_not_a_worker_is_named() -> None:
    with pytest.raises(
        PageError, match=r"no worker at http://127\.0\.0\.1:1/metrics \(Connection refused\)"
    ):
        read_page("127.0.0.1:1")


@pytest.mark.parametrize(
    ("n", "told"),
    [
        (1, ["1 model is refused: see", "1 request was dropped"]),
        (1200, ["1,200 models are refused: see", "1,200 requests were dropped"]),
    ],
)
def test_one_is_told_as_one(n: int, told: list[str]) -> None:
    page = Page(
        "w",
        0.0,
        {
            "ounce_models_refused": [({"task": "digits"}, n)],
            "ounce_requests_lost_total": [({"task": "digits", "partition": "0"}, n)],
        },
    )
    found = [trouble.text for trouble in troubles(page)]
    assert [text.startswith(start) for text, start in zip(found, told, strict=True)] == [True] * 2
