"""What the demo showed, in words, and where to look next."""

from pathlib import Path

from ounce_schemas.documents import QUICK_FOLDER
from ounce_schemas.wording import counted
from rich.text import Text

from ounce_services.demo.ladders import find_ladder, has_ladder
from ounce_services.devices.report import FleetReport, TaskReport, Verdict
from ounce_services.devices.summary import share


def summary(report: FleetReport | None) -> Text:
    """The result so far; says so where there is none."""
    text = Text()
    if report is None or not report.answered:
        text.append("Nothing was answered yet: the demo ended before devices sent anything.\n")
        return text
    text.append("What routing saved\n", style="bold")
    text.append(f"  {report.savings_factor:.1f} times less compute", style="bold green")
    text.append(
        f" than always running the most accurate model: {report.spent_ms / 1e3:.2f} instead of "
        f"{report.always_best_ms / 1e3:.2f} CPU seconds for {counted(report.answered, 'answer')}.\n"
    )
    for name, task in report.tasks.items():
        text.append(f"\n{name}\n", style="bold")
        for line in _task_lines(task):
            text.append(f"  {line}\n")
    if report.unanswered:
        text.append(
            f"\n{counted(report.unanswered, 'input')} got no answer; see the logs.\n",
            style="bold red",
        )
    return text


def next_steps(models: Path, report: FleetReport | None, logs: Path) -> Text:
    """Where to look next."""
    page = _page_of_busiest(models, report)
    text = Text("Where to look next\n", style="bold")
    lines = [
        ("a model's card", str(page) if page else "ounce train --help"),
        ("all the figures", "curl localhost:PORT/metrics while it runs (--metrics-port PORT)"),
        ("your own worker", "ounce worker --help"),
        ("a whole site", "compose.yaml and README.md"),
        ("logs of this run", str(logs)),
    ]
    quick = [
        path.name
        for path in (models / QUICK_FOLDER).glob("[!.]*")
        if not has_ladder(models, path.name)
    ]
    if quick:
        commands = "; ".join(f"ounce train {task}" for task in sorted(quick))
        lines.insert(0, ("whole ladders", f"{commands} (minutes)"))
    for what, where in lines:
        text.append(f"  {what:<17}{where}\n")
    return text


def _page_of_busiest(models: Path, report: FleetReport | None) -> Path | None:
    """The card's page of the model that answered most."""
    used = [
        (model.accuracy.answered, (find_ladder(models, task) or models / task) / name / "README.md")
        for task, task_report in (report.tasks.items() if report else ())
        for name, model in task_report.models.items()
    ]
    return max(used)[1] if used else next(models.glob("*/[!.]*/README.md"), None)


def _task_lines(task: TaskReport) -> list[str]:
    lines = [
        f"answered {task.answered:,} of {task.sent:,}, p50 {task.p50_ms:.1f} ms, "
        f"p99 {task.p99_ms:.1f} ms",
        f"deadlines kept {share(task.kept_as_measured, task.answered)} as the devices measured, "
        f"{share(task.kept_as_labelled, task.answered)} as labelled",
        _floors_line(task),
        f"honestly labelled as missing a target that nothing could meet: {task.fallbacks:,}",
    ]
    busiest = max(task.models.items(), key=lambda item: item[1].accuracy.answered, default=None)
    if busiest is not None:
        name, model = busiest
        lines.append(
            f"most answers came from {name} ({share(model.accuracy.answered, task.answered)}, "
            f"{model.cost_ms:.3f} ms each); accuracy promised "
            f"{task.accuracy.promised:.3f}, seen {task.accuracy.seen:.3f}"
        )
    return lines


def _floors_line(task: TaskReport) -> str:
    promised = [f for f in task.floors if f.verdict is not Verdict.NOTHING_PROMISED]
    kept = [f for f in promised if f.verdict is not Verdict.BROKEN]
    line = f"accuracy floors kept {len(kept)} of {len(promised)} promised"
    broken = [f for f in promised if f.verdict is Verdict.BROKEN]
    if broken:
        line += "; broken: " + ", ".join(
            f"{f.min_accuracy:g} (seen {f.labelled_met.seen:.3f})" for f in broken
        )
    return f"{line} (answers labelled as meeting theirs: {share(task.floors_met, task.answered)})"
