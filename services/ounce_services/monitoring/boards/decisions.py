"""Decisions: why plans were chosen, what is believed of them, and what is told of it."""

from ounce_services.monitoring.questions import NONE_IS_GOOD, ONE_IS_BAD, Board, Question, rate

_TASK = '{task=~"$task"}'


def _none(label: str, text: str) -> str:
    """A series at 0 that says that nothing of the kind runs."""
    return f'label_replace(vector(0), "{label}", "{text}", "", "")'


DECISIONS = Board(
    uid="ounce-decisions",
    folder="detail",
    title="Ounce: decisions",
    about="Why plans were chosen, what is believed of them, and what changed that.",
    questions=(
        Question(
            title="Why were plans chosen?",
            about="Answers a second, by the reason of their decision.",
            asks={"{{reason}} of {{task}}": rate("ounce_plan_messages_total", "task, reason")},
            unit="reqps",
        ),
        Question(
            title="Which plans answer?",
            about="Answers a second, by plan. A cascade names its steps.",
            asks={"{{plan}} of {{task}}": rate("ounce_plan_messages_total", "task, plan")},
            unit="reqps",
            detail="task",
        ),
        Question(
            title="Why did no plan meet both targets?",
            about="Fallbacks a second, by kind. None is good.",
            asks={"{{fallback}} of {{task}}": rate("ounce_fallbacks_total", "task, fallback")},
            unit="reqps",
            steps=NONE_IS_GOOD,
            alert="OunceFloorsMissed",
        ),
        Question(
            title="Which floors can still be met?",
            about="Greatest floor that a plan in service meets. Higher ones are missed.",
            asks={"{{task}}": f"min by (task) (ounce_highest_floor{_TASK})"},
            unit="percentunit",
            alert="OunceFloorsMissed",
        ),
        Question(
            title="Do inputs drift?",
            about="Accuracy that is believed of plans. All fall: inputs changed. One: its model.",
            asks={
                "{{plan}} of {{task}}": f"min by (task, plan) (ounce_plan_expected_accuracy{_TASK})"
            },
            unit="percentunit",
            alert="OunceDrift",
        ),
        Question(
            title="How sure are those beliefs?",
            about="Lower bounds of accuracy, which floors are held against.",
            asks={"{{plan}} of {{task}}": f"min by (task, plan) (ounce_plan_accuracy_low{_TASK})"},
            unit="percentunit",
            alert="OunceDrift",
        ),
        Question(
            title="Do labels come?",
            about="Labels a second, by what became of them. Only joined ones teach.",
            asks={"{{outcome}} of {{task}}": rate("ounce_labels_total", "task, outcome")},
            unit="reqps",
        ),
        Question(
            title="What did workers tell?",
            about="Events within the last ten minutes: the ten most frequent kinds.",
            asks={
                "events": "topk(10, round(sum by (task, kind) "
                f"(increase(ounce_events_total{_TASK}[10m]))))"
            },
            unit="none",
            kind="table",
        ),
        Question(
            title="How often does a cascade go on?",
            about="Further steps a second. Each costs another call.",
            asks={"{{task}}": rate("ounce_escalations_total")},
            unit="reqps",
        ),
        Question(
            title="What does exploration cost?",
            about="Wrong answers a second over what floors permit, as expected.",
            asks={"{{task}}": rate("ounce_exploration_regret_total")},
            unit="reqps",
        ),
        Question(
            title="Which policies are in force?",
            about="Workers by version of the policy. More than one for long: workers differ.",
            asks={"{{version}}": "count by (version) (ounce_policy_info)"},
            unit="none",
            alert="OuncePoliciesDiffer",
        ),
        Question(
            title="Is the latest policy in force?",
            about="Workers that refuse it, or can't read it. None is good.",
            asks={"workers": "sum(ounce_policy_stale)"},
            unit="none",
            steps=NONE_IS_GOOD,
            alert="OuncePolicyStale",
        ),
        Question(
            title="Can all settings be used?",
            about="Records of policies, canaries and models that workers pass over. None is good.",
            asks={"{{topic}}": "max by (topic) (increase(ounce_settings_passed_over_total[15m]))"},
            unit="none",
            steps=NONE_IS_GOOD,
            alert="OunceSettingsPassedOver",
        ),
        Question(
            title="Is a canary worse than the rest?",
            about="What all workers saw against it, by criterion. At 1 it is stopped.",
            asks={
                "{{criterion}} {{task}}": "max by (task, criterion) "
                f"(ounce_canary_evidence{_TASK}) or on() {_none('criterion', 'no canary')}"
            },
            unit="none",
            steps=ONE_IS_BAD,
            alert="OunceCanaryStopped",
        ),
        Question(
            title="Does the shadow keep up?",
            about="Messages a second that it answered, failed on, or dropped for others.",
            asks={
                "{{outcome}} {{task}}": rate("ounce_shadow_messages_total", "task, outcome")
                + f" or on() {_none('outcome', 'no shadow')}"
            },
            unit="reqps",
        ),
    ),
)
