"""Delivery: from the topic of requests to confirmed answers."""

from ounce_services.monitoring.questions import (
    NONE_IS_GOOD,
    Board,
    Question,
    quantile,
    rate,
    restarts,
)

_PARTITION = "partition {{partition}} of {{task}}"

DELIVERY = Board(
    uid="ounce-delivery",
    folder="operation",
    title="Ounce: delivery",
    about="From the topic of requests to confirmed answers.",
    questions=(
        Question(
            title="Which partitions lag?",
            about="Records not read yet. One alone: it is blocked, or its worker is stuck.",
            asks={
                _PARTITION: 'sum by (task, partition) (ounce_consumer_lag{task=~"$task"})',
            },
            unit="short",
            alert="OunceLagGrows",
        ),
        Question(
            title="How long do requests wait?",
            about="99th percentile of the time from a record's timestamp to its processing.",
            asks={"{{task}}": quantile(0.99, "ounce_queue_wait_seconds")},
            unit="s",
            alert="OunceLagGrows",
        ),
        Question(
            title="Is a partition blocked?",
            about="How long another producer's open transaction has held it up.",
            asks={
                _PARTITION: "max by (task, partition) "
                '(ounce_partition_blocked_seconds{task=~"$task"})'
            },
            unit="s",
            steps=((None, "green"), (10, "orange"), (60, "red")),
            alert="OuncePartitionBlocked",
        ),
        Question(
            title="Are requests lost?",
            about="Records a second that the topic dropped before they were read.",
            asks={_PARTITION: rate("ounce_requests_lost_total", "task, partition")},
            unit="reqps",
            steps=NONE_IS_GOOD,
            alert="OunceRequestsLost",
        ),
        Question(
            title="Does the broker take answers?",
            about="How long it has not confirmed what a worker published.",
            asks={"{{instance}}": "max by (instance) (ounce_unconfirmed_seconds)"},
            unit="s",
            steps=((None, "green"), (3, "orange"), (10, "red")),
            alert="OunceBrokerTakesNothing",
            detail="worker",
        ),
        Question(
            title="Which requests become dead letters?",
            about="Dead letters a second, by reason.",
            asks={"{{reason}} of {{task}}": rate("ounce_dead_letters_total", "task, reason")},
            unit="reqps",
            alert="OunceDeadLetters",
        ),
        Question(
            title="Are requests set aside?",
            about="Requests a second of which nothing is published.",
            asks={"{{task}}": rate("ounce_set_aside_total")},
            unit="reqps",
            steps=NONE_IS_GOOD,
            alert="OunceRequestsSetAside",
        ),
        Question(
            title="Do requests end workers?",
            about="Requests on which models were isolated, or could not be, since workers started.",
            asks={
                "{{kind}} of {{task}}": "sum by (task, kind) (ounce_events_total"
                '{kind=~"models-isolated|isolation-failed",task=~"$task"})'
            },
            unit="none",
            steps=NONE_IS_GOOD,
            alert="OunceRequestFatal",
        ),
        Question(
            title="Are transactions aborted?",
            about="Transactions a second whose requests are read again. Fenced: another process "
            "has the worker's name. Generation: partitions were given out anew.",
            asks={
                "{{cause}} at {{instance}}": rate(
                    "ounce_transactions_aborted_total", "instance, cause", 'instance=~"$worker"'
                )
            },
            unit="ops",
            alert="OunceWorkerFenced",
            detail="worker",
        ),
        Question(
            title="Do workers pause reading?",
            about="Pauses a second, since too many requests waited inside.",
            asks={"{{instance}}": rate("ounce_pauses_total", "instance", 'instance=~"$worker"')},
            unit="ops",
            alert="OunceOverload",
            detail="worker",
        ),
        Question(
            title="Do workers come and go?",
            about="Starts within 15 minutes, by worker. Each moves partitions.",
            asks={"{{instance}}": restarts("ounce-worker")},
            unit="none",
            alert="OunceRestarts",
            detail="worker",
        ),
        Question(
            title="Can workers be scraped?",
            about="1 while Prometheus reaches a worker.",
            asks={"{{instance}}": 'max by (instance) (up{job=~"ounce.*"})'},
            unit="none",
            steps=((None, "red"), (1, "green")),
            alert="OunceWorkerGone",
            detail="worker",
        ),
    ),
)
