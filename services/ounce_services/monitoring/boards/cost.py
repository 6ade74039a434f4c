"""Cost and energy: what choosing saves, and what it takes."""

from ounce_services.monitoring.questions import Board, Question, rate

_SAVING = ((None, "orange"), (0, "green"))

COST = Board(
    uid="ounce-cost",
    folder="operation",
    title="Ounce: cost and energy",
    about="What choosing saves, and what it takes. Costs have the unit of the policy's objective: "
    "milliseconds, joules, bytes or the prices' unit.",
    questions=(
        Question(
            title="How much computing is saved?",
            about="Share of what the most accurate models would have taken. Under 0: wasted.",
            asks={
                "{{task}}": f"1 - {rate('ounce_compute_seconds_total')} / "
                f"({rate('ounce_compute_always_best_seconds_total')} > 0)"
            },
            unit="percentunit",
            steps=_SAVING,
        ),
        Question(
            title="How much computing was saved since workers started?",
            about="Seconds, by task.",
            asks={"{{task}}": 'sum by (task) (ounce_compute_saved_seconds{task=~"$task"})'},
            unit="s",
            kind="bars",
            steps=_SAVING,
        ),
        Question(
            title="What do answers cost?",
            about="Cost a second: with the objective `energy` these are watts.",
            asks={"{{task}}": rate("ounce_cost_total")},
            unit="none",
        ),
        Question(
            title="What does an answer cost?",
            about="Mean cost of one answer. With the objective `energy`: joules.",
            asks={
                "{{task}}": f"{rate('ounce_cost_total')} / ({rate('ounce_messages_total')} > 0)",
            },
            unit="none",
        ),
        Question(
            title="How much cost was saved since workers started?",
            about="Cost of the most accurate models less cost. Under 0: wasted.",
            asks={"{{task}}": 'sum by (task) (ounce_cost_saved{task=~"$task"})'},
            unit="none",
            kind="bars",
            steps=_SAVING,
        ),
        Question(
            title="Which models take the computing?",
            about="Seconds of running, a second.",
            asks={"{{model}} of {{task}}": rate("ounce_compute_seconds_total", "task, model")},
            unit="none",
            detail="model",
        ),
        Question(
            title="How much of the computing is done on GPUs?",
            about="Share of the time of calls.",
            asks={
                "{{task}}": f"{rate('ounce_compute_gpu_seconds_total')} / "
                f"({rate('ounce_compute_seconds_total')} > 0)"
            },
            unit="percentunit",
        ),
        Question(
            title="What does choosing take?",
            about="Processor time of decisions, as a share of that of models.",
            asks={
                "{{task}}": f"{rate('ounce_decision_seconds_total')} / "
                f"({rate('ounce_compute_seconds_total')} > 0)"
            },
            unit="percentunit",
            steps=((None, "green"), (0.5, "orange")),
        ),
        Question(
            title="How much memory do models take?",
            about="Resident memory that loading them added.",
            asks={
                "{{model}} of {{task}}": "sum by (task, model) "
                '(ounce_model_memory_bytes{task=~"$task"})'
            },
            unit="bytes",
            detail="model",
        ),
    ),
)
