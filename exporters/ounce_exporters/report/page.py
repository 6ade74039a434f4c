"""`report.html`: a ladder on one page, for a browser without a network."""

from collections.abc import Sequence
from html import escape
from pathlib import Path

from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import MODEL_FILE
from ounce_schemas.errors import ArtifactError
from ounce_schemas.whole_file import write_whole
from ounce_schemas.wording import counted, figure

from ounce_exporters.export.artifacts import REPORT_FILE, read_cards
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.progress.console import short_name
from ounce_exporters.report import plots
from ounce_exporters.report.importance import MOST_INPUTS
from ounce_exporters.report.learning import MOST_ROWS
from ounce_exporters.report.style import STYLE


def write_report(folder: Path, data: TaskData) -> None:
    """Write the page of the ladder in `models/<task>`.

    Raises:
        ArtifactError: a card or model can't be read, or the page can't be written.
    """
    cards = sorted(read_cards(folder), key=lambda card: card.latency.batches[0].p50_ms)
    text = render(folder, data, cards)
    try:
        write_whole(folder / REPORT_FILE, text.encode())
    except OSError as e:
        raise ArtifactError(f"{folder / REPORT_FILE}: can't be written: {e.strerror or e}") from e


def render(folder: Path, data: TaskData, cards: Sequence[ModelCard]) -> str:
    """The page as HTML, with styles and plots inside."""
    task = data.spec
    sections = [_section(folder / card.model, data, card) for card in cards]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(task.name)}</title><style>{STYLE}</style></head><body><main>"
        f"<h1>{escape(task.name)}</h1><p>{escape(task.description)} {_acceptable(data)} "
        f"The figures behind the first are of the {len(data.test):,} items of the test split. "
        f"Nothing was chosen by them.</p>{_ladder(cards)}{''.join(sections)}</main></body></html>\n"
    )


def _acceptable(data: TaskData) -> str:
    task = data.spec
    if task.kind == "regression":
        return f"An answer is acceptable within ±{task.tolerance:,.12g} of the truth."
    measured = "" if task.measure.is_plain else f" Models are judged by {task.measure}."
    return f"An answer is acceptable where its label is right.{escape(measured)}"


def _ladder(cards: Sequence[ModelCard]) -> str:
    regression = cards[0].regression is not None
    name = short_name(cards[0].measure)
    heads = ["model", f"{name}, validation", f"{name}, test", "95% interval"]
    heads += (
        ["MAE", "RMSE", "R²", "in interval"]
        if regression
        else ["balanced", "F1", "ROC-AUC", "PR-AUC", "log loss", "Brier", "calibration error"]
    )
    heads += ["µs alone", "µs of 32", "kB"]
    rows = [[_link(card), *_figures(card), *_cost(card)] for card in cards]
    return _table(heads, rows)


def _link(card: ModelCard) -> str:
    return f'<a href="#{card.model}">{card.model}</a>'


def _figures(card: ModelCard) -> list[str]:
    test = card.test_accuracy
    found = [
        f"{card.validation_accuracy.value:.4f}",
        f"{test.value:.4f}",
        f"{test.low:.3f} to {test.high:.3f}",
    ]
    if card.regression is not None:
        r = card.regression
        errors = (r.mean_absolute_error, r.root_mean_squared_error)
        return [
            *found,
            *(figure(e, 4) for e in errors),
            f"{r.r2:.3f}",
            f"{r.interval_coverage:.1%}",
        ]
    o = card.overall
    if o is None:  # a card of an earlier training
        return [*found, *[""] * 7]
    figures = (o.balanced_accuracy, o.f1, o.roc_auc, o.pr_auc, o.log_loss, o.brier)
    return [
        *found,
        *("" if f is None else f"{f:.3f}" for f in figures),
        f"{card.calibration.ece_after or 0:.3f}",
    ]


def _cost(card: ModelCard) -> list[str]:
    per_item = {b.batch_size: b.p50_ms / b.batch_size * 1e3 for b in card.latency.batches}
    of_32 = per_item.get(32)
    return [
        f"{card.latency.batches[0].p50_ms * 1e3:.0f}",
        "" if of_32 is None else f"{of_32:.1f}",
        f"{card.size_bytes / 1e3:,.0f}",
    ]


def _section(folder: Path, data: TaskData, card: ModelCard) -> str:
    task, truth = data.spec, data.test.targets
    path = folder / MODEL_FILE
    try:
        model = OnnxCpuRuntime(threads=1).load(path, path.read_bytes())
    except OSError as e:
        raise ArtifactError(f"{path}: can't be read: {e.strerror or e}") from e
    answers = model.run(data.test.inputs)
    figures: list[tuple[str, str]] = []
    if task.classifies:
        matrix = plots.confusion(task.labels, answers, truth)
        if matrix is not None:
            figures.append((matrix, "Confusion matrix: shade is the share of a true label."))
        figures.append(
            (
                plots.calibration(answers, truth),
                "Calibration: on the dashed line a confidence is what it says. "
                "Bars: share of items.",
            )
        )
    else:
        figures.append(
            (
                plots.residuals(answers, truth, task.tolerance or 0.0),
                "Residuals: between the dashed lines an answer is acceptable.",
            )
        )
    if card.learning_curve:
        figures.append(
            (
                plots.learning_curve(card.learning_curve, short_name(card.measure)),
                'Learning curve: <b class="second">training</b> and <b class="main">validation</b> '
                "rows. A wide gap: more rows may help.",
            )
        )
    if card.importances:
        figures.append(
            (
                plots.importances(card.importances),
                f"Importances: {short_name(card.measure)} lost where an input is shuffled; the "
                "line is the spread.",
            )
        )
    if card.groups is not None:
        figures.append(
            (
                plots.groups(card.groups),
                f"Accuracy by {escape(card.groups.column)} with 95% intervals, on the validation "
                f"split. Groups of fewer than {card.groups.least_items} items stand together.",
            )
        )
    shown = "".join(
        f"<figure>{svg}<figcaption>{said}</figcaption></figure>" for svg, said in figures
    )
    return (
        f'<section id="{card.model}"><h2>{card.model}</h2>'
        f"<p>{escape(card.algorithm[:1].upper() + card.algorithm[1:])}. "
        f"{_folds(card)}{_absent(card, data)}"
        f'<a href="{card.model}/README.md">Its card</a>.</p>'
        f'<div class="plots">{shown}</div></section>'
    )


def _folds(card: ModelCard) -> str:
    c = card.cross_validation
    if c is None:
        return ""
    return (
        f"Accuracy by cross-validation {c.mean:.4f}, 95% interval {c.low:.3f} to {c.high:.3f}, of "
        f"{counted(len(c.folds), 'fold')}. "
    )


def _absent(card: ModelCard, data: TaskData) -> str:
    said = []
    if not card.learning_curve and card.training.n_train > MOST_ROWS:
        said.append(f"No learning curve: more than {MOST_ROWS:,} rows. ")
    columns = sum(len(tensor.columns or ()) for tensor in data.spec.inputs)
    if columns > MOST_INPUTS:
        said.append(f"No importances: more than {MOST_INPUTS} inputs. ")
    return "".join(said)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{name}</th>' for name in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="wide" tabindex="0" role="group" aria-label="Table">{table}</div>'
