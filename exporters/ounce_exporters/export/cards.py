"""The human page beside a card, in the layout of Hugging Face model cards.

Source of the layout: https://huggingface.co/docs/hub/model-cards
"""

from pathlib import Path

import yaml
from ounce_schemas.card import AccuracyEstimate, ModelCard, OverallFigures
from ounce_schemas.documents import CARD_FILE
from ounce_schemas.task import TaskSpec
from ounce_schemas.wording import figure

from ounce_exporters.export.card_words import (
    calibration_text,
    explanation_text,
    output_text,
    splits_text,
    tensor_line,
)
from ounce_exporters.export.cell_rules import cell_rows
from ounce_exporters.export.example import EXAMPLE_FILE, ExampleRequest
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
        + "\n".join(tensor_line(tensor) for tensor in card.inputs),
        *_cells_text(card),
        output_text(card, task),
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
            ["mean absolute error", figure(r.mean_absolute_error, 4)],
            ["root mean squared error", figure(r.root_mean_squared_error, 4)],
            ["R²", f"{r.r2:.3f}"],
            ["share of true values in the interval", f"{r.interval_coverage:.3f}"],
            ["width of the interval", figure(r.interval_width, 4)],
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
        calibration_text(card, task.labels),
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
        explanation_text(card),
        "## Training",
        f"{card.training.source}. {splits_text(card.training)}, {card.training.n_test} to test; "
        f"seed {card.seed}; data sha256 `{card.training.sha256}`.",
        *backbone_lines(card.backbone),
        f"{card.parameters:,} parameters, {card.size_bytes:,} bytes, model sha256 `{card.sha256}`.",
        f"The file agrees with the native model on {card.parity.agreement:.2%} of "
        f"{card.parity.n} test items; largest difference {card.parity.largest_difference:.2g}.",
        "Made with " + ", ".join(f"{k} {v}" for k, v in card.libraries.items()) + ".",
    ]
    return "\n\n".join(parts) + "\n"


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


def _cells_text(card: ModelCard) -> list[str]:
    rows = cell_rows(card.inputs)
    if not rows:
        return []
    lead = "Made of a row of the table so; all other inputs are the numbers as they stand:"
    return [lead, _table(["input", "column", "read as"], rows)]


def _accuracy_row(name: str, a: AccuracyEstimate) -> list[str]:
    return [name, f"{a.value:.4f}", f"{a.low:.4f} to {a.high:.4f}", str(a.n)]


def _table(header: list[str], rows: list[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(c) for c in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
