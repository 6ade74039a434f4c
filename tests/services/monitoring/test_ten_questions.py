"""The ten questions of the page of dashboards: each named panel gives the right answer.

One story in simulated time: from the tenth minute on much goes wrong with the task digits, and
nothing with the task room.
"""

import subprocess
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests.docs.pages import DOCS, rows
from tests.services.monitoring.simulated import RULES
from tests.support.process.boards import targets

STEP_S, BEGINS_MIN, ENDS_MIN = 15, 10, 30
N_BEFORE, N_AFTER = 60 * BEGINS_MIN // STEP_S, 60 * (ENDS_MIN - BEGINS_MIN) // STEP_S
W = 'instance="w-1",job="ounce-worker"'


def counter(before: float, after: float) -> str:
    """Grows by so much a step, before and after the fault begins."""
    at = before * N_BEFORE
    return f"0+{before:g}x{N_BEFORE} {at + after:g}+{after:g}x{N_AFTER - 2}"


def gauge(before: float, after: float) -> str:
    return f"{before:g}x{N_BEFORE} {after:g}x{N_AFTER - 2}"


def of(metric: str, **labels: str) -> str:
    own = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{metric}{{{own},{W}}}"


def task(name: str, is_faulty: bool) -> dict[str, str]:
    """Series of one task: 10 answers a second of each of two models."""

    def of_task(metric: str, **labels: str) -> str:
        return of(f"ounce_{metric}", task=name, **labels)

    def worse(right: float, wrong: float) -> float:
        return wrong if is_faulty else right

    series = {
        of_task("messages_total", model=model, outcome="answered"): counter(150, 150)
        for model in ("light", "heavy")
    }
    return series | {
        of_task("deadline_misses_total", model="light"): counter(0, 0),
        of_task("deadline_misses_total", model="heavy"): counter(0, worse(0, 60)),
        of_task("floor_misses_total", model="light"): counter(0, 0),
        of_task("queue_wait_seconds_sum"): counter(0.3, worse(0.3, 240)),
        of_task("queue_wait_seconds_count"): counter(300, 300),
        of_task("service_latency_seconds_sum", model="heavy"): counter(1.5, worse(1.5, 15)),
        of_task("service_latency_seconds_count", model="heavy"): counter(150, 150),
        of_task("model_suspended", model="heavy"): gauge(0, worse(0, 1)),
        of_task("fallbacks_total", fallback="fastest"): counter(1, worse(1, 30)),
        of_task("fallbacks_total", fallback="late"): counter(1, 1),
        of_task("plan_expected_accuracy", plan="light"): gauge(0.95, worse(0.95, 0.7)),
        of_task("plan_expected_accuracy", plan="heavy"): gauge(0.99, 0.99),
        of_task("consumer_lag", partition="0"): gauge(5, 5),
        of_task("consumer_lag", partition="1"): gauge(5, worse(5, 9000)),
        of_task("dead_letters_total", reason="wrong-shape"): counter(0, worse(0, 30)),
        of_task("dead_letters_total", reason="malformed-json"): counter(0, worse(0, 1)),
        of_task("compute_seconds_total", model="light"): counter(1, 1),
        of_task("compute_always_best_seconds_total"): counter(4, 4),
    }


SERIES = {f"up{{{W}}}": gauge(1, 1)} | task("digits", True) | task("room", False)


class Answer(NamedTuple):
    """What a person reads off a panel, as an expression over the panel's own, `{}`."""

    read: str
    labels: str
    value: float = 1
    at_min: float = 25


def _chosen(labels: str) -> str:
    """A series with these labels, to take others by."""
    text = "vector(1)"
    for part in labels.strip("{}").split(","):
        name, _, value = part.strip().partition("=")
        text = f'label_replace({text}, "{name}", {value}, "", "")'
    return text


def worst(*by: str) -> str:
    return f"count by ({', '.join(by)}) (topk(1, {{}}))"


ANSWERS = {
    "Do our objectives hold this month?": [
        Answer("count by (sloth_slo) ({} < 0)", '{sloth_slo="deadlines"}'),
        Answer("count by (sloth_slo) ({} == 1)", '{sloth_slo="floors"}'),
        Answer("count by (sloth_slo) ({} == 1)", '{sloth_slo="answers"}'),
    ],
    "What is wrong at this moment?": [
        Answer(
            "count by (alertname, task, model) ({}) and on (alertname) "
            + _chosen('{alertname="OunceModelSuspended"}'),
            '{alertname="OunceModelSuspended", task="digits", model="heavy"}',
        )
    ],
    "Which model makes task X miss its deadlines since noon?": [
        Answer(worst("task", "model"), '{task="digits", model="heavy"}'),
        Answer("count({} > 0) or vector(0)", "{}", 0, BEGINS_MIN - 1),
    ],
    "Is a late answer slow, or did it wait?": [
        Answer("round({}, 0.001)", '{task="digits"}', 0.8),
        Answer("round({}, 0.001)", '{task="room"}', 0.001),
    ],
    "Did model Y become slower with the last release?": [
        Answer("round({}, 0.001)", '{task="digits", model="heavy"}', 0.01, BEGINS_MIN - 1),
        Answer("round({}, 0.001)", '{task="digits", model="heavy"}', 0.1),
    ],
    "Why do devices get an answer under their floor?": [
        Answer(worst("task", "fallback"), '{task="digits", fallback="fastest"}')
    ],
    "Did the inputs change, or did one model break?": [
        Answer("count by (task, plan) ({} < 0.9)", '{task="digits", plan="light"}')
    ],
    "Is one partition stuck, or is everything slow?": [
        Answer("count by (task, partition) ({} > 1000)", '{task="digits", partition="1"}')
    ],
    "Which senders' mistakes fill the dead letters?": [
        Answer(worst("task", "reason"), '{task="digits", reason="wrong-shape"}')
    ],
    "Does choosing pay?": [
        Answer("round({}, 0.01)", '{task="digits"}', 0.75),
        Answer("round({}, 0.01)", '{task="room"}', 0.75),
    ],
}


def expression_of(board: str, panel: str) -> str:
    """The first of a panel's."""
    return next(t.expression for t in targets() if (t.board, t.panel) == (board, panel))


def asked() -> list[dict[str, Any]]:
    """What promtool is to ask; answers to the same expression stand together."""
    found: dict[tuple[str, float], list[dict[str, Any]]] = {}
    for question, board, panel in rows(DOCS / "dashboards.md", "What you ask"):
        for answer in ANSWERS[question]:
            text = answer.read.format(expression_of(board, panel))
            if answer.value != 1 and answer.labels != "{}":
                # Other series are of no matter.
                text = f"({text}) and on ({_names(answer.labels)}) {_chosen(answer.labels)}"
            samples = found.setdefault((text, answer.at_min), [])
            samples.append({"labels": answer.labels, "value": answer.value})
    return [
        {"expr": text, "eval_time": f"{at_min:g}m", "exp_samples": samples}
        for (text, at_min), samples in found.items()
    ]


def _names(labels: str) -> str:
    return ", ".join(part.partition("=")[0].strip() for part in labels.strip("{}").split(","))


def test_every_question_has_an_answer() -> None:
    asked_for = [row[0] for row in rows(DOCS / "dashboards.md", "What you ask")]
    assert len(asked_for) == 10
    assert set(asked_for) == set(ANSWERS)


@pytest.mark.prometheus
@pytest.mark.parametrize("is_right", [True, False])
def test_each_panel_answers_its_question(is_right: bool, tmp_path: Path) -> None:
    questions = asked()
    assert len(questions) >= 10
    if not is_right:  # a check that can fail
        questions[2]["exp_samples"][0]["labels"] = '{task="room", model="heavy"}'
    document = {
        "rule_files": [str(path) for path in sorted(RULES.glob("*.yaml"))],
        "evaluation_interval": f"{STEP_S}s",
        "tests": [
            {
                "interval": f"{STEP_S}s",
                "input_series": [{"series": s, "values": v} for s, v in SERIES.items()],
                "promql_expr_test": questions,
            }
        ],
    }
    path = tmp_path / "questions.test.yaml"
    path.write_text(yaml.safe_dump(document))
    done = subprocess.run(
        ["promtool", "test", "rules", path],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode == 0) is is_right, done.stdout + done.stderr
