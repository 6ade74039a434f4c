"""The human page beside a card, in the layout of Hugging Face model cards.

Source of the layout: https://huggingface.co/docs/hub/model-cards
"""

import math
from collections.abc import Sequence
from pathlib import Path

import yaml
from ounce_schemas.card import AccuracyEstimate, ModelCard, OverallFigures, TrainingData
from ounce_schemas.cells import as_text
from ounce_schemas.documents import CARD_FILE
from ounce_schemas.task import CLUSTER_POWER, TaskSpec, TensorSpec

from ounce_exporters.example import EXAMPLE_FILE, ExampleRequest
from ounce_exporters.export.cell_rules import cell_rows
from ounce_exporters.export.provenance import backbone_lines

PAGE_FILE = "README.md"


def write_card(folder: Path, card: ModelCard, task: TaskSpec, example: ExampleRequest) -> None:
    """Write `card.json` and its page."""
    text = card.model_dump_json(indent=2, exclude_none=True) + "\n"
    (folder / CARD_FILE).write_text(text, encoding="utf-8")
    (folder / PAGE_FILE).write_text(render_page(card, task, example), encoding="utf-8")


def render_page(card: ModelCard, task: TaskSpec, example: ExampleRequest) -> str:
    """Markdown with YAML front matter."""
    parts = [
        f"---\n{yaml.safe_dump(_front_matter(card, task), sort_keys=False).strip()}\n---",
        f"# {card.task} / {card.model}",
        f"{task.description}\n\n{_first_upper(card.algorithm)} ({card.family}), one ONNX file with "
        "preprocessing and calibration inside.",
        "## Uses",
        "Inputs of one item, behind a dynamic batch dimension:\n\n"
        + "\n".join(_tensor_line(tensor) for tensor in card.inputs),
        *_cells_text(card),
        _output_text(card, task),
        f"A request of this task, as a record of the topic `{example.topic}`; the whole body is in "
        f"`../{EXAMPLE_FILE}`:",
        "```\n" + "\n".join(example.lines) + "\n```",
        "## Evaluation",
        _table(
            ["split", str(card.measure), "95% interval", "items"],
            [
                _accuracy_row("validation (routing relies on it)", card.validation_accuracy),
                _accuracy_row("test (reported only)", card.test_accuracy),
            ],
        ),
    ]
    if card.test_false_alarms is not None and card.validation_false_alarms is not None:
        rows = [
            _accuracy_row("validation", card.validation_false_alarms),
            _accuracy_row("test", card.test_false_alarms),
        ]
        parts.append(_table(["split", "false alarms", "95% interval", "items"], rows))
    if card.cross_validation is not None:
        c = card.cross_validation
        parts.append(
            f"Accuracy by fold: {', '.join(f'{share:.4f}' for share in c.folds)}; mean "
            f"{c.mean:.4f}, 95% t-interval {c.low:.4f} to {c.high:.4f}."
        )
    if card.overall is not None:
        parts.append(_table(["figure (test), classes alike", "value"], _overall_rows(card.overall)))
    if card.classes:
        rows = [
            [c.label, f"{c.precision:.3f}", f"{c.recall:.3f}", f"{c.f1:.3f}", str(c.support)]
            for c in card.classes
        ]
        parts.append(_table(["class (test)", "precision", "recall", "F1", "items"], rows))
    if card.regression:
        r = card.regression
        rows = [
            ["mean absolute error", f"{r.mean_absolute_error:.4g}"],
            ["root mean squared error", f"{r.root_mean_squared_error:.4g}"],
            ["R²", f"{r.r2:.3f}"],
            ["share of true values in the interval", f"{r.interval_coverage:.3f}"],
            ["width of the interval", f"{r.interval_width:.4g}"],
        ]
        parts.append(_table(["figure (test)", "value"], rows))
    if card.groups is not None:
        parts.append(
            _table(
                [f"{card.groups.column} (validation)", "accuracy", "95% interval", "items"],
                [_accuracy_row(group.name, group.accuracy) for group in card.groups.groups],
            )
        )
    parts += [
        "The confusion matrix or residuals, the calibration curve, the learning curve and the "
        "importances are on the ladder's page, `../report.html`.",
        "## Calibration",
        _calibration_text(card, task.labels),
        "## Latency",
        f"{card.latency.runtime}, {card.latency.threads} thread(s), on {card.latency.machine}. "
        "Milliseconds of one call:",
        _table(
            ["items per call", "median", "99th percentile", "median per item"],
            [
                [str(n), *(f"{ms:.4f}" for ms in (b.p50_ms, b.p99_ms, b.p50_ms / n))]
                for b in card.latency.batches
                for n in (b.batch_size,)
            ],
        ),
        *(["## GPU", f"On the CPU alone: {card.not_on_gpu}."] if card.not_on_gpu else []),
        "## Explanations",
        _explanation_text(card),
        "## Training",
        f"{card.training.source}. {_splits(card.training)}, {card.training.n_test} to test; "
        f"seed {card.seed}; data sha256 `{card.training.sha256}`.",
        *backbone_lines(card.backbone),
        f"{card.parameters:,} parameters, {card.size_bytes:,} bytes, model sha256 `{card.sha256}`.",
        f"The file agrees with the native model on {card.parity.agreement:.2%} of "
        f"{card.parity.n} test items; largest difference {card.parity.largest_difference:.2g}.",
        "Made with " + ", ".join(f"{k} {v}" for k, v in card.libraries.items()) + ".",
    ]
    return "\n\n".join(parts) + "\n"


def _explanation_text(card: ModelCard) -> str:
    own = card.explanation
    if own is None:
        return f"None: {card.unexplained or 'the model was made without one'}."
    plain = {b.batch_size: b.p50_ms for b in card.latency.batches}
    slower = ", ".join(
        f"{b.p50_ms / plain[b.batch_size]:.1f} times at {b.batch_size}"
        for b in own.latency.batches
        if b.batch_size in plain
    )
    return (
        f"`explanation.onnx` says what each of {len(own.inputs)} inputs contributed to the "
        f"{own.score} of an answer, by {own.method}. An answer with it takes {slower} items a call "
        f"the time of one without. Contributions miss the score by {own.largest_error:.1g} at most."
    )


def _overall_rows(o: OverallFigures) -> list[list[str]]:
    figures = {
        "balanced accuracy": o.balanced_accuracy,
        "precision": o.precision,
        "recall": o.recall,
        "F1": o.f1,
        "area under the ROC curve": o.roc_auc,
        "area under precision and recall": o.pr_auc,
        "log loss": o.log_loss,
        "Brier score": o.brier,
    }
    return [[name, f"{v:.4f}"] for name, v in figures.items() if v is not None]


def _front_matter(card: ModelCard, task: TaskSpec) -> dict[str, object]:
    kind = "tabular" if any(t.columns for t in task.inputs) else None
    pipeline_tag = f"{kind}-{task.kind}" if kind else "other"
    library = "scikit-learn" if card.family == "classical" else "pytorch"
    return {
        "library_name": "onnx",
        "pipeline_tag": pipeline_tag,
        "tags": ["onnx", library, card.family, card.task],
        "model-index": [
            {
                "name": f"{card.task}/{card.model}",
                "results": [
                    {
                        "task": {"type": pipeline_tag, "name": card.task},
                        "dataset": {"type": card.task, "name": card.training.source},
                        "metrics": [
                            {
                                "type": card.measure.kind,
                                "name": f"test {card.measure}",
                                "value": round(card.test_accuracy.value, 6),
                            }
                        ],
                    }
                ],
            }
        ],
    }


def _tensor_line(tensor: TensorSpec) -> str:
    line = f"- `{tensor.name}`: {tensor.datatype}, shape {list(tensor.shape)}"
    if tensor.minimum is not None or tensor.maximum is not None:
        line += f", from {tensor.minimum} to {tensor.maximum}"
    if tensor.columns:
        line += ": " + ", ".join(f"`{c}`" for c in tensor.columns)
    if tensor.channels:
        line += ": steps of " + ", ".join(f"`{c}`" for c in tensor.channels)
    if tensor.allow_missing:
        line += f" (missing: {'NaN' if tensor.datatype == 'FP32' else 'the empty text'})"
    return line


def _cells_text(card: ModelCard) -> list[str]:
    rows = cell_rows(card.inputs)
    if not rows:
        return []
    lead = "Made of a row of the table so; all other inputs are the numbers as they stand:"
    return [lead, _table(["input", "column", "read as"], rows)]


def _output_text(card: ModelCard, task: TaskSpec) -> str:
    if task.kind == "anomaly":
        return (
            f"Output `{card.output.name}`: of `normal` and `anomaly`. The odds of `anomaly` are "
            f"{task.false_alarms:g} over the p-value: an item is flagged where its p-value is "
            "smaller."
        )
    if task.kind == "clusters":
        return (
            f"Output `{card.output.name}`: of {len(task.labels) - 1} clusters and `none`. The odds "
            f"of the nearest cluster against `none` are one over the distance to the power of "
            f"{CLUSTER_POWER}: an item has no cluster where its distance is over 1."
        )
    if task.classifies:
        labels = ", ".join(f"`{label}`" for label in task.labels)
        return f"Output `{card.output.name}`: calibrated probabilities of {labels}."
    less = f", each less {as_text(task.offset)}" if task.offset else ""
    return (
        f"Output `{card.output.name}`: value, lower and upper end of its interval{less}. A value "
        f"is acceptable within ±{task.tolerance:g} of the truth."
    )


def _biases_text(card: ModelCard, labels: Sequence[str]) -> str:
    biases = card.calibration.biases
    if not biases:
        return ""
    listed = ", ".join(
        f"`{label}` {bias:+.3f}" for label, bias in zip(labels, biases, strict=True) if bias
    )
    text = (
        f"\n\nThe answer follows the task's measure, {card.measure}: to the logarithm of each "
        f"probability is added {listed or 'nothing'}. So `probabilities` are those of a world in "
        "which classes are as frequent as the measure weighs them. To undo it, take these off "
        "again and scale the probabilities to a sum of 1."
    )
    if card.measure.label is not None and len(labels) == 2:
        bias = biases[labels.index(card.measure.label)]
        text += (
            f" `{card.measure.label}` is answered where its probability, so undone, is "
            f"{1 / (1 + math.exp(min(bias, 700.0))):.3g} or more."
        )
    return text


def _calibration_text(card: ModelCard, labels: Sequence[str]) -> str:
    c = card.calibration
    if c.method == "temperature":
        return (
            f"Temperature {c.temperature:.3f}, fitted on {c.n} validation items. Expected "
            f"calibration error on the test split: {c.ece_before:.4f} before, "
            f"{c.ece_after:.4f} after.{_biases_text(card, labels)}"
        )
    if c.method == "conformal-p-values":
        return (
            f"Conformal p-values: the rank of a score among those of {c.n} normal validation "
            f"items. At most {c.false_alarms:.3%} of normal items are flagged, on average."
        )
    return f"Split conformal: half width {c.half_width:.4g} from {c.n} validation items."


def _splits(training: TrainingData) -> str:
    if not training.n_train:
        return (
            "The model was made elsewhere, and what it has learned from is not known. "
            f"{training.n_validation} items validate and calibrate"
        )
    sampled = f" (a sample of {training.n_sampled} of them)" if training.n_sampled else ""
    if not training.n_folds:
        return (
            f"{training.n_train} items to train{sampled}, {training.n_validation} to validate and "
            "calibrate"
        )
    judged = f"each of {training.n_validation} was answered by a model that had not learned from it"
    return (
        f"The model has learned from {training.n_train} items{sampled}. "
        f"To validate and calibrate, {judged} ({training.n_folds} folds)"
    )


def _accuracy_row(name: str, a: AccuracyEstimate) -> list[str]:
    return [name, f"{a.value:.4f}", f"{a.low:.4f} to {a.high:.4f}", str(a.n)]


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
