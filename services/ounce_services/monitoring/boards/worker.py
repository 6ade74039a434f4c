"""One worker: whether it is well, and what it uses."""

from ounce_services.monitoring.questions import (
    ONE_IS_BAD,
    ONE_IS_GOOD,
    Board,
    Question,
    rate,
)

_WORKER = 'instance=~"$worker"'
_LEGEND = "{{instance}}"


def _of(metric: str) -> str:
    return f"{metric}{{{_WORKER}}}"


WORKER = Board(
    uid="ounce-worker",
    folder="detail",
    title="Ounce: one worker",
    about="Whether a worker is well, and what it uses.",
    questions=(
        Question(
            title="Is the worker ready?",
            about="What /readyz answers: 1 while requests are served.",
            asks={_LEGEND: _of("ounce_ready")},
            unit="none",
            kind="stat",
            steps=ONE_IS_GOOD,
            alert="OunceWorkerNotReady",
        ),
        Question(
            title="Is the worker alive?",
            about="What /healthz answers: 1 while it can go on by itself.",
            asks={_LEGEND: _of("ounce_healthy")},
            unit="none",
            kind="stat",
            steps=ONE_IS_GOOD,
            alert="OunceWorkerStuck",
        ),
        Question(
            title="How long has the worker run?",
            about="Since its process began. Short again and again: it can't go on.",
            asks={_LEGEND: f"time() - {_of('process_start_time_seconds')}"},
            unit="s",
            kind="bars",
            alert="OunceRestarts",
        ),
        Question(
            title="How much does the worker serve?",
            about="Requests a second.",
            asks={_LEGEND: rate("ounce_messages_total", "instance", _WORKER)},
            unit="reqps",
        ),
        Question(
            title="How much processor does the worker use?",
            about="Seconds a second. 1 is a whole core.",
            asks={_LEGEND: f"rate({_of('process_cpu_seconds_total')}[$__rate_interval])"},
            unit="none",
        ),
        Question(
            title="How much memory does the worker use?",
            about="Resident memory of its process.",
            asks={_LEGEND: _of("process_resident_memory_bytes")},
            unit="bytes",
        ),
        Question(
            title="Does the worker run out of files?",
            about="Open files, as a share of what is allowed.",
            asks={_LEGEND: f"{_of('process_open_fds')} / {_of('process_max_fds')}"},
            unit="percentunit",
            steps=((None, "green"), (0.7, "orange"), (0.9, "red")),
        ),
        Question(
            title="How long does choosing take, a message?",
            about="Processor time of decisions, by worker.",
            asks={
                _LEGEND: f"{rate('ounce_decision_seconds_total', 'instance', _WORKER)} / "
                f"({rate('ounce_messages_total', 'instance', _WORKER)} > 0)"
            },
            unit="s",
        ),
        Question(
            title="Does the broker confirm answers?",
            about="How long it has not confirmed what is published.",
            asks={_LEGEND: _of("ounce_unconfirmed_seconds")},
            unit="s",
            steps=((None, "green"), (3, "orange"), (10, "red")),
            alert="OunceBrokerTakesNothing",
        ),
        Question(
            title="Are decisions recorded?",
            about="Tasks whose decisions can't be written. 0 is good.",
            asks={_LEGEND: f"sum by (instance) ({_of('ounce_recording_stopped')})"},
            unit="none",
            steps=ONE_IS_BAD,
            alert="OunceRecordingStopped",
        ),
        Question(
            title="How many certificates expire within two weeks?",
            about="Of those that connect with Kafka: its authority's, and the worker's own.",
            asks={
                _LEGEND: "sum by (instance) "
                f"({_of('ounce_certificate_expiry_timestamp_seconds')} - time() < bool 1209600) "
                f"or max by (instance) (0 * {_of('ounce_ready')})"
            },
            unit="none",
            steps=ONE_IS_BAD,
            alert="OunceCertificateExpires",
        ),
        Question(
            title="Are traces sent?",
            about="Messages a second that were to be traced. Dropped: the receiver takes none. "
            "Limited: more than --traces-per-s permits. 0 where there are no traces.",
            asks={
                f"{{{{outcome}}}} by {_LEGEND}": rate(
                    "ounce_traced_messages_total", "instance, outcome", _WORKER
                )
            },
            unit="reqps",
        ),
    ),
)
