"""HTTP fronts: what callers ask, and what they hear."""

from ounce_services.monitoring.questions import (
    NONE_IS_GOOD,
    ONE_IS_BAD,
    ONE_IS_GOOD,
    Board,
    Question,
    quantile,
    rate,
    restarts,
    unreadable,
)

_CALLS = "ounce_http_requests_total"

FRONT = Board(
    uid="ounce-http",
    folder="operation",
    title="Ounce: HTTP",
    about="From callers of HTTP to Kafka, and back.",
    questions=(
        Question(
            title="Can fronts be asked?",
            about="1 while Kafka is reached and its topics can be read, as /readyz says.",
            asks={"{{instance}}": "max by (instance) (ounce_http_ready)"},
            alert="OunceHttpNotReady",
            unit="none",
            steps=ONE_IS_GOOD,
        ),
        Question(
            title="Do fronts end again and again?",
            about="Starts within 15 minutes.",
            asks={"{{instance}}": restarts("ounce-http")},
            alert="OunceRestarts",
            unit="none",
        ),
        Question(
            title="How much is asked?",
            about="Calls a second that were told how they ended, by task.",
            asks={"{{task}}": rate(_CALLS, "task", "")},
            alert="OunceHttpGone",
            unit="reqps",
        ),
        Question(
            title="Who gets no answer?",
            about="Calls a second by status, but for 200 and 202. 499: the caller went away.",
            asks={"{{status}}": rate(_CALLS, "status", 'status!~"20."')},
            alert="OunceHttpUnanswered",
            unit="reqps",
            steps=NONE_IS_GOOD,
        ),
        Question(
            title="How long do callers wait?",
            about="99th percentile of the time from a call's arrival to its answer.",
            asks={"{{task}}": quantile(0.99, "ounce_http_answering_seconds", match="")},
            unit="s",
        ),
        Question(
            title="How many wait?",
            about="Requests whose answer is waited for. At --max-waiting callers get 429.",
            asks={"{{instance}}": "max by (instance) (ounce_http_waiting_requests)"},
            unit="short",
        ),
        Question(
            title="How many are connected?",
            about="Open connections. At --max-connections new ones are closed.",
            asks={"{{instance}}": "max by (instance) (ounce_http_connections)"},
            unit="short",
        ),
        Question(
            title="How much is under way to Kafka?",
            about="Requests sent and not confirmed. Growing: the line is slow or down.",
            asks={"{{instance}}": "max by (instance) (ounce_http_unconfirmed_records)"},
            unit="short",
        ),
        Question(
            title="Is Kafka away?",
            about="1 while Kafka confirms no requests. Callers then get 503.",
            asks={"{{instance}}": "max by (instance) (ounce_http_kafka_away)"},
            alert="OunceHttpNotReady",
            unit="none",
            steps=ONE_IS_BAD,
        ),
        Question(
            title="How many answers come too late?",
            about="Answers a second whose callers had gone, or had given up.",
            asks={"{{instance}}": rate("ounce_http_unclaimed_answers_total", "instance", "")},
            unit="reqps",
            steps=NONE_IS_GOOD,
        ),
        unreadable("ounce-http", "The file of --tls-certificate.", "ounce_http_ready"),
    ),
)
