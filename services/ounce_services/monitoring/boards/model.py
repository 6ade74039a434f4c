"""One model: how fast it is, how often it answers, whether it is trusted."""

from ounce_services.monitoring.questions import ONE_IS_BAD, Board, Question, mean, quantile, rate

_MODEL = 'task=~"$task",model=~"$model"'
_BY = "task, model"
_LEGEND = "{{model}} of {{task}}"

MODEL = Board(
    uid="ounce-model",
    folder="detail",
    title="Ounce: one model",
    about="How fast a model is, how often it answers, whether it is trusted.",
    questions=(
        Question(
            title="Is the model slower than it was?",
            about="Mean and 99th percentile of one call, the latter from 1 ms on.",
            asks={
                f"{_LEGEND} mean": mean("ounce_service_latency_seconds", _BY, _MODEL),
                f"{_LEGEND} 99th percentile": quantile(
                    0.99, "ounce_service_latency_seconds", _BY, _MODEL
                ),
            },
            unit="s",
            alert="OunceModelSuspended",
        ),
        Question(
            title="Is the model out of the plans?",
            about="Workers on which it is suspended, since it failed or is far slower.",
            asks={_LEGEND: f"sum by ({_BY}) (ounce_model_suspended{{{_MODEL}}})"},
            unit="none",
            steps=ONE_IS_BAD,
            alert="OunceModelSuspended",
        ),
        Question(
            title="Do labels contradict the model's card?",
            about="Workers on which they do, for the worse. The runbook says how to withdraw it.",
            asks={_LEGEND: f"sum by ({_BY}) (ounce_model_worse{{{_MODEL}}})"},
            unit="none",
            steps=ONE_IS_BAD,
            alert="OunceModelWorse",
        ),
        Question(
            title="How much processor does the model take?",
            about="Seconds of running it, a second. 1 is a whole core.",
            asks={_LEGEND: rate("ounce_compute_seconds_total", _BY, _MODEL)},
            unit="none",
        ),
        Question(
            title="How many messages share a call?",
            about="Mean of messages a call. More make a message cheaper.",
            asks={_LEGEND: mean("ounce_batch_size", _BY, _MODEL)},
            unit="short",
        ),
        Question(
            title="How often is its answer late?",
            about="Late answers, as a share of its answers.",
            asks={
                _LEGEND: f"{rate('ounce_deadline_misses_total', _BY, _MODEL)} / "
                f"({rate('ounce_messages_total', _BY, _MODEL)} > 0)"
            },
            unit="percentunit",
            steps=((None, "green"), (0.01, "orange"), (0.05, "red")),
            alert="OunceDeadlinesMissed",
        ),
        Question(
            title="How much memory does the model take?",
            about="Resident memory that loading it added. 0 while it is unloaded.",
            asks={_LEGEND: f"sum by ({_BY}) (ounce_model_memory_bytes{{{_MODEL}}})"},
            unit="bytes",
        ),
        Question(
            title="How often are models loaded again?",
            about="Loads a second of models that were unloaded. Often: the budget is too small.",
            asks={"{{task}}": rate("ounce_model_loads_total")},
            unit="ops",
        ),
        Question(
            title="Are models refused?",
            about="Models that are to serve and can't be trusted or do not run.",
            asks={"{{task}}": 'sum by (task) (ounce_models_refused{task=~"$task"})'},
            unit="none",
            steps=ONE_IS_BAD,
            alert="OunceModelsStale",
        ),
        Question(
            title="Which models are on the CPU alone, though there is a GPU?",
            about="By reason. The command ounce runtimes and the log say more.",
            asks={
                "{{task}} {{reason}}": "sum by (task, reason) "
                '(ounce_models_cpu_only{task=~"$task"})'
            },
            unit="none",
        ),
        Question(
            title="Which models are in force, on how many workers?",
            about="Digests of ladders. More than one of a task: workers differ.",
            asks={
                "digests": 'count by (task, version) (ounce_catalogue_info{task=~"$task"})',
            },
            unit="none",
            kind="table",
        ),
        Question(
            title="How often did models or rules change?",
            about="Editions put in service within ten minutes.",
            asks={"{{task}}": 'sum by (task) (increase(ounce_editions_total{task=~"$task"}[10m]))'},
            unit="none",
        ),
    ),
)
