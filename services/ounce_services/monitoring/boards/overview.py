"""The fleet: whether objectives hold, and where to look."""

from ounce_services.monitoring.objectives import FASTEST_BURN
from ounce_services.monitoring.questions import (
    NONE_IS_GOOD,
    ONE_IS_BAD,
    ONE_IS_GOOD,
    Board,
    Question,
    rate,
)

OVERVIEW = Board(
    uid="ounce",
    folder="fleet",
    title="Ounce: fleet",
    about="Whether objectives hold, and where to look if not.",
    questions=(
        Question(
            title="How many workers serve?",
            about="Workers that answer /readyz with 200.",
            asks={"ready": "sum(ounce_ready)"},
            unit="none",
            kind="stat",
            steps=ONE_IS_GOOD,
            alert="OunceNoWorker",
            width=6,
        ),
        Question(
            title="How many alerts fire?",
            about="Pages and tickets together. Open the table below for which.",
            asks={"firing": 'count(ALERTS{alertstate="firing"}) or vector(0)'},
            unit="none",
            kind="stat",
            steps=ONE_IS_BAD,
            width=6,
        ),
        Question(
            title="How many requests are served a second?",
            about="Answers and dead letters of all tasks.",
            asks={"requests": "sum(task:ounce_messages:rate5m)"},
            unit="reqps",
            kind="stat",
            width=6,
        ),
        Question(
            title="How much computing does choosing save?",
            about="Time saved, as a share of what the most accurate models would have taken.",
            asks={
                "saved": "1 - sum(rate(ounce_compute_seconds_total[5m])) / "
                "sum(rate(ounce_compute_always_best_seconds_total[5m]))"
            },
            unit="percentunit",
            kind="stat",
            steps=((None, "orange"), (0, "green")),
            width=6,
        ),
        Question(
            title="How much error budget is left?",
            about="Of the worst task, within the period of the objectives. Under 0: broken.",
            asks={"{{sloth_slo}}": "min by (sloth_slo) (slo:period_error_budget_remaining:ratio)"},
            unit="percentunit",
            kind="bars",
            steps=((None, "red"), (0, "orange"), (0.25, "green")),
            alert="OunceDeadlinesMissed",
        ),
        Question(
            title="How fast do error budgets burn?",
            about="1 uses a budget up just in its period. From 14.4 on somebody is paged.",
            asks={
                "{{sloth_slo}} of {{task}}": "max by (sloth_slo, task) "
                "(slo:current_burn_rate:ratio)"
            },
            unit="none",
            steps=((None, "green"), (1, "orange"), (FASTEST_BURN, "red")),
            alert="OunceDeadlinesMissed",
            detail="task",
        ),
        Question(
            title="Which alerts fire, or are about to?",
            about="One row for each alert. Its name is a section of the runbooks.",
            asks={
                "alerts": "count by (alertname, severity, alertstate, task, model, instance) "
                "(ALERTS)"
            },
            unit="none",
            kind="table",
        ),
        Question(
            title="Which tasks need attention?",
            about="Burn rates of all tasks and objectives, the worst first.",
            asks={"burn rates": "topk(20, max by (task, sloth_slo) (slo:current_burn_rate:ratio))"},
            unit="none",
            kind="table",
            steps=((None, "green"), (1, "orange"), (FASTEST_BURN, "red")),
            detail="task",
        ),
        Question(
            title="Which tasks get how many requests?",
            about="Served a second, by task.",
            asks={"{{task}}": "task:ounce_messages:rate5m"},
            unit="reqps",
            detail="task",
        ),
        Question(
            title="Which tenants' answers are late?",
            about="Late answers a second, by the tenant that the request names.",
            asks={"{{tenant}}": rate("ounce_tenant_deadline_misses_total", "tenant", 'task!=""')},
            unit="reqps",
            alert="OunceDeadlinesMissed",
            detail="tenant",
        ),
        Question(
            title="Do requests pile up?",
            about="Records in Kafka that are not read yet, by task.",
            asks={"{{task}}": "task:ounce_consumer_lag:sum"},
            unit="short",
            alert="OunceLagGrows",
            detail="delivery",
        ),
        Question(
            title="Which versions run?",
            about="Workers by version of Ounce. More than one: a rollout is under way.",
            asks={"{{version}}": "count by (version) (ounce_build_info)"},
            unit="none",
        ),
        Question(
            title="Are the latest policy and models in force?",
            about="Workers with a stale policy, and models that are refused.",
            asks={
                "stale policy": "sum(ounce_policy_stale)",
                "refused models": "sum(instance:ounce_models_refused:bool)",
            },
            unit="none",
            steps=NONE_IS_GOOD,
            alert="OuncePolicyStale",
        ),
    ),
)
