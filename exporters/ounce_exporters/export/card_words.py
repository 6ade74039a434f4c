"""What the page of a card says in words: inputs, output, splits, calibration, explanation."""

import math
from collections.abc import Sequence

from ounce_schemas.card import ModelCard, TrainingData
from ounce_schemas.cells import as_text
from ounce_schemas.task import CLUSTER_POWER, TaskSpec, TensorSpec
from ounce_schemas.wording import counted, figure


def tensor_line(tensor: TensorSpec) -> str:
    """One input, with its limits and columns."""
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


def output_text(card: ModelCard, task: TaskSpec) -> str:
    """What the output holds."""
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
        f"is acceptable within ±{task.tolerance:,.12g} of the truth."
    )


def splits_text(training: TrainingData) -> str:
    """How many items taught, judged and calibrated."""
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


def calibration_text(card: ModelCard, labels: Sequence[str]) -> str:
    """How sure an answer is, and what that rests on."""
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
    return (
        f"Split conformal: half width {figure(c.half_width or 0, 4)} from {c.n} validation items."
    )


def explanation_text(card: ModelCard) -> str:
    """What an explanation holds and costs, or why there is none."""
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
        f"`explanation.onnx` says what {counted(len(own.inputs), 'input')} contributed to the "
        f"{own.score} of an answer, by {own.method}. An answer with it takes {slower} items a call "
        f"the time of one without. Contributions miss the score by {own.largest_error:.1g} at most."
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
