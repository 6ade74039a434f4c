"""One task: what its devices get, and which model is at fault where they don't."""

from ounce_services.monitoring.questions import (
    ONE_IS_BAD,
    Board,
    Question,
    mean,
    quantile,
    rate,
)

_ANSWERED = 'task=~"$task",outcome!="dead-letter"'
_KEPT = ((None, "red"), (0.95, "orange"), (0.99, "green"))


def _kept(missed: str) -> str:
    return f"1 - {rate(missed)} / ({rate('ounce_messages_total', match=_ANSWERED)} > 0)"


TASK = Board(
    uid="ounce-task",
    folder="detail",
    title="Ounce: one task",
    about="What devices of a task get, and which model is at fault where they do not.",
    questions=(
        Question(
            title="Are deadlines kept?",
            about="Share of answers that were encoded before their deadline.",
            asks={"{{task}}": _kept("ounce_deadline_misses_total")},
            unit="percentunit",
            steps=_KEPT,
            alert="OunceDeadlinesMissed",
        ),
        Question(
            title="Which model makes the task miss its deadlines?",
            about="Late answers a second, by the model that gave them.",
            asks={"{{model}} of {{task}}": rate("ounce_deadline_misses_total", "task, model")},
            unit="reqps",
            alert="OunceDeadlinesMissed",
            detail="model",
        ),
        Question(
            title="Are accuracy floors kept?",
            about="Share of answers by a plan that is sure to reach the floor asked for.",
            asks={"{{task}}": _kept("ounce_floor_misses_total")},
            unit="percentunit",
            steps=_KEPT,
            alert="OunceFloorsMissed",
        ),
        Question(
            title="Which model misses floors?",
            about="Answers a second under their floor, by the model that gave them.",
            asks={"{{model}} of {{task}}": rate("ounce_floor_misses_total", "task, model")},
            unit="reqps",
            alert="OunceFloorsMissed",
            detail="model",
        ),
        Question(
            title="How long does an answer take?",
            about="From the record's timestamp to the encoded answer.",
            asks={
                f"{{{{task}}}} {name}": quantile(q, "ounce_end_to_end_latency_seconds")
                for name, q in (("median", 0.5), ("99th percentile", 0.99))
            },
            unit="s",
            alert="OunceDeadlinesMissed",
        ),
        Question(
            title="How much of that is waiting?",
            about="Mean time from the record's timestamp to the start of its processing.",
            asks={"{{task}}": mean("ounce_queue_wait_seconds")},
            unit="s",
            alert="OunceLagGrows",
            detail="delivery",
        ),
        Question(
            title="Which models answer?",
            about="Requests served a second, by model; `none` are dead letters.",
            asks={"{{model}} of {{task}}": rate("ounce_messages_total", "task, model")},
            unit="reqps",
            detail="model",
        ),
        Question(
            title="What becomes of requests?",
            about="Answered, answered by a fallback, or a dead letter.",
            asks={"{{outcome}} of {{task}}": rate("ounce_messages_total", "task, outcome")},
            unit="reqps",
            alert="OunceAnswersFail",
            detail="decisions",
        ),
        Question(
            title="How many requests wait inside the workers?",
            about="Taken and not yet answered.",
            asks={"{{task}}": 'sum by (task) (ounce_waiting_requests{task=~"$task"})'},
            unit="short",
            alert="OunceOverload",
        ),
        Question(
            title="Is there overload?",
            about="Workers on which late requests pile up.",
            asks={"{{task}}": 'sum by (task) (ounce_overloaded{task=~"$task"})'},
            unit="none",
            steps=ONE_IS_BAD,
            alert="OunceOverload",
        ),
    ),
)
