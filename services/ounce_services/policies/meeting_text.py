"""What a policy makes of one message, for people."""

from pathlib import Path

from ounce_edge.dry_run.meeting import Choice, Meeting
from ounce_schemas.wording import figure, table


def meeting_text(meeting: Meeting, choice: Choice | None, models: Path) -> str:
    """Rule, settings and plans.

    Args:
        meeting: what the policy makes of the message.
        choice: what answers it; None: its task has no ladder.
        models: folder that was looked at for one.
    """
    settings = meeting.settings
    lines = [
        f"rule: {meeting.rule or 'none, the settings of the task hold'}",
        f"deadline: {meeting.max_latency_ms:g} ms",
        f"floor: {meeting.min_accuracy:g}",
        f"fallback: {settings.fallback}",
        f"objective: {settings.objective}",
        f"cascades: {'yes' if settings.cascades else 'no'}",
        f"priority: {settings.priority}",
    ]
    lines += [
        f"{name}: {', '.join(value)}"
        for name, value in (
            ("allow", settings.allow),
            ("deny", settings.deny),
            ("families", settings.families),
            ("runtimes", settings.runtimes),
        )
        if value
    ]
    if choice is None:
        return "\n".join([*lines, f"\nno ladder of this task in {models}: no plans to show"])
    rows = [("", "plan", "p99 ms", "at least", "verdict")]
    rows += [
        (
            "->" if a.plan == choice.plan else "",
            a.plan,
            figure(a.p99_ms),
            f"{a.accuracy_low:.4f}",
            a.verdict(meeting.max_latency_ms, meeting.min_accuracy),
        )
        for a in choice.plans
    ]
    answer = f"{choice.plan or 'dead letter'}: {choice.reason}, alone and by the cards"
    return "\n".join([*lines, "", table(rows), "", answer])
