"""Devices: what they send, and how soon they are answered."""

from ounce_services.monitoring.questions import Board, Question, quantile, rate

DEVICES = Board(
    uid="ounce-devices",
    folder="operation",
    title="Ounce: devices",
    about="What devices send, and how soon they are answered. Devices are never labels.",
    questions=(
        Question(
            title="How much do devices send?",
            about="Requests served a second, by task.",
            asks={"{{task}}": rate("ounce_messages_total")},
            unit="reqps",
            detail="task",
        ),
        Question(
            title="How soon are devices answered?",
            about="Time from the record's timestamp to the encoded answer.",
            asks={
                f"{{{{task}}}} {name}": quantile(q, "ounce_end_to_end_latency_seconds")
                for name, q in (("median", 0.5), ("95th", 0.95), ("99th percentile", 0.99))
            },
            unit="s",
            alert="OunceDeadlinesMissed",
        ),
        Question(
            title="What do devices send wrongly?",
            about="Dead letters a second, by reason. `ounce dead-letters list` names senders.",
            asks={
                "{{reason}} of {{task}}": rate(
                    "ounce_dead_letters_total",
                    "task, reason",
                    'task=~"$task",reason!~"model-failed|model-crashed|answer-refused|refused"',
                )
            },
            unit="reqps",
            alert="OunceDeadLetters",
        ),
        Question(
            title="Do devices send again what they sent?",
            about="Requests a second whose sender and id were answered lately.",
            asks={"{{task}}": rate("ounce_duplicates_total")},
            unit="reqps",
        ),
        Question(
            title="Are devices' clocks right?",
            about="Requests a second whose timestamp is not believed.",
            asks={"{{task}}": rate("ounce_timestamps_off_total")},
            unit="reqps",
            steps=((None, "green"), (1e-9, "orange")),
        ),
        Question(
            title="Do devices send what was learned?",
            about="Requests a second with a text that the models have not learned, or in which a "
            "value is missing that no learned row missed.",
            asks={
                "{{task}} unknown text": rate("ounce_unknown_text_total"),
                "{{task}} missing value": rate("ounce_unseen_missing_total"),
            },
            unit="reqps",
            steps=((None, "green"), (1e-9, "orange")),
        ),
        Question(
            title="Do answers say why?",
            about="Answers a second that were to be explained: given, no model that explains, or "
            "none that meets the targets.",
            asks={
                "{{task}} {{outcome}}": rate("ounce_explanations_total", by="task, outcome"),
            },
            unit="reqps",
        ),
        Question(
            title="Do devices tell what was right?",
            about="Labels a second that met their answer.",
            asks={
                "{{task}}": rate("ounce_labels_total", match='task=~"$task",outcome="joined"'),
            },
            unit="reqps",
        ),
    ),
)
