"""One tenant: whether its objectives hold, and what share of the load it is."""

from ounce_services.monitoring.questions import Board, Question, rate

_MATCH = 'task=~"$task",tenant=~"$tenant"'
_KEPT = ((None, "red"), (0.95, "orange"), (0.99, "green"))
_BY = "tenant, task"
_LEGEND = "{{tenant}}: {{task}}"


def _rate(metric: str, by: str = _BY) -> str:
    return rate(metric, by, _MATCH)


def _kept(missed: str) -> str:
    return f"1 - {_rate(missed)} / ({_rate('ounce_tenant_predictions_total')} > 0)"


TENANT = Board(
    uid="ounce-tenant",
    folder="detail",
    title="Ounce: one tenant",
    about="Whether a tenant's deadlines and floors are kept, and what it sends. (none): requests "
    "that name no tenant. (other): all tenants without series of their own.",
    questions=(
        Question(
            title="Are the tenant's deadlines kept?",
            about="Share of answers that were encoded before their deadline.",
            asks={_LEGEND: _kept("ounce_tenant_deadline_misses_total")},
            unit="percentunit",
            steps=_KEPT,
            alert="OunceDeadlinesMissed",
            detail="task",
        ),
        Question(
            title="Are the tenant's accuracy floors kept?",
            about="Share of answers by a plan that is sure to reach the floor asked for.",
            asks={_LEGEND: _kept("ounce_tenant_floor_misses_total")},
            unit="percentunit",
            steps=_KEPT,
            alert="OunceFloorsMissed",
            detail="task",
        ),
        Question(
            title="Which tenants have most late answers?",
            about="Late answers a second, all tasks together.",
            asks={"{{tenant}}": _rate("ounce_tenant_deadline_misses_total", "tenant")},
            unit="reqps",
            alert="OunceDeadlinesMissed",
            detail="tenant",
        ),
        Question(
            title="Which tenants have most answers under their floor?",
            about="Such answers a second, all tasks together.",
            asks={"{{tenant}}": _rate("ounce_tenant_floor_misses_total", "tenant")},
            unit="reqps",
            alert="OunceFloorsMissed",
            detail="tenant",
        ),
        Question(
            title="Which tenants send most?",
            about="Requests answered a second.",
            asks={_LEGEND: _rate("ounce_tenant_predictions_total")},
            unit="reqps",
            detail="task",
        ),
        Question(
            title="Which tenants' requests can't be served?",
            about="Dead letters a second, by the tenant that the record's headers name.",
            asks={"{{tenant}}": _rate("ounce_tenant_dead_letters_total", "tenant")},
            unit="reqps",
            alert="OunceDeadLetters",
            detail="tenant",
        ),
    ),
)
