"""What is amiss with a worker, as its page shows it."""

from collections.abc import Iterator
from dataclasses import dataclass

from ounce_schemas.event import GOOD_NEWS
from ounce_schemas.models_page import TaskModels
from ounce_schemas.release import SHORT
from ounce_schemas.wording import counted

from ounce_services.workers.growth import Growth, Look
from ounce_services.workers.pages import Page

_UNCONFIRMED_S = 5.0


@dataclass(frozen=True)
class Trouble:
    """Something that a person should look at."""

    worker: str
    """Its address."""
    task: str
    """Empty: the whole worker."""
    text: str


def troubles(page: Page) -> list[Trouble]:
    """What is amiss now."""
    return [Trouble(page.address, task, text) for task, text in _present(page)]


def incidents(look: Look) -> list[Trouble]:
    """Events that a worker told since the look before, or since it started."""
    counts = Growth([look]).by("ounce_events_total", "task", "kind")
    return [
        Trouble(look.now.address, task, f"{kind}, {n:,.0f} times" if n > 1 else kind)
        for (task, kind), n in sorted(counts.items())
        if n and kind not in GOOD_NEWS
    ]


def _present(page: Page) -> Iterator[tuple[str, str]]:
    if not page.healthy[0]:
        yield "", f"not alive: {page.healthy[1]}"
    if not page.ready[0]:
        yield "", f"not ready: {page.ready[1]}"
    for labels, value in page.matching("ounce_model_suspended"):
        if value:
            yield labels["task"], f"model {labels['model']} is suspended"
    for labels, value in page.matching("ounce_model_worse"):
        if value:
            what = f"{labels['task']} {labels['model']}"
            text = f"labels contradict the card of model {labels['model']}"
            yield labels["task"], f"{text}: `ounce models retire {what}` withdraws it"
    yield from _models(page)
    for task, value in page.values("ounce_overloaded", "task").items():
        if value:
            yield task, "overloaded: late requests pile up"
    for task, value in page.values("ounce_recording_stopped", "task").items():
        if value:
            yield task, "decisions are not recorded: look at the disk"
    for labels, value in page.matching("ounce_partition_blocked_seconds"):
        if value:
            text = f"partition {labels['partition']} is blocked for {value:.0f} s"
            yield labels["task"], f"{text} by another producer's transaction"
    for task, value in page.values("ounce_requests_lost_total", "task").items():
        if value:
            text = counted(value, "request was", "requests were")
            yield task, f"{text} dropped by the topic before being read"
    if page.total("ounce_policy_stale"):
        yield "", "the latest policy is not in force: `ounce policy status`"
    unconfirmed_s = page.total("ounce_unconfirmed_seconds")
    if unconfirmed_s > _UNCONFIRMED_S:
        yield "", f"the broker has confirmed nothing for {unconfirmed_s:.0f} s"
    for labels, share in page.matching("ounce_canary_evidence"):
        if share >= 1:
            yield labels["task"], f"the policy on trial is stopped: {labels['criterion']}"


def _models(page: Page) -> Iterator[tuple[str, str]]:
    """What is to serve and does not, and why."""
    told = set[str]()
    for now in page.models:
        if now.why:
            told.add(now.task)
            asked = f"release {now.asked[:SHORT]} does not serve" if now.asked else "not all serves"
            yield now.task, f"{asked}, {served_text(now)} does: {now.why}"
        for line in now.refused:
            told.add(now.task)
            yield now.task, f"refused: {line}"
    for task, value in page.values("ounce_models_refused", "task").items():
        if value and task not in told:
            yield task, f"{counted(value, 'model is', 'models are')} refused: see the worker's log"


def served_text(models: TaskModels) -> str:
    """What a task's models are of."""
    return f"release {models.release[:SHORT]}" if models.release else "what was in its folder"
