"""Distillation: a light network that learns the answers of a ladder's most accurate model.

Each row is answered by a teacher that has not learned from it, nor from any row that judges the
network. The network learns the mean of that answer and the truth. Of a table it also learns the
answers to further rows, mixed of those that are there.

Source: G. Hinton, O. Vinyals and J. Dean, "Distilling the Knowledge in a Neural Network", NIPS Deep
Learning Workshop 2014.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from ounce_schemas.card import ModelCard

from ounce_exporters.evaluation.figures import estimate_accuracy
from ounce_exporters.export.calibration import Temperature, fit_temperature
from ounce_exporters.ladder.recipe import FittedModel, Inputs, Progress, Recipe, Split, TaskData
from ounce_exporters.lighter.forms import NotWorthwhileError
from ounce_exporters.tasks.folds import N_FOLDS, divide
from ounce_exporters.tasks.table.preprocessing import preprocessing
from ounce_exporters.training.classical import as_matrix
from ounce_exporters.training.crossfit import out_of_fold, sample
from ounce_exporters.training.mixed_rows import has_columns, mix_rows

STUDENTS = ("mlp-small", "small-cnn", "byte-cnn", "cnn-1d")
"""The light networks of tables, images, texts and sequences."""
TEACHER_SHARE = 0.5
"""Of the teacher's answer in what is learned; the rest is the truth."""


def with_distilled(recipes: Sequence[Recipe]) -> list[Recipe]:
    """The same recipes, and behind them a student of each light network.

    The teacher is the most accurate of the models that are built before. A student that is not more
    accurate than its network without a teacher raises `NotWorthwhileError`.

    Args:
        recipes: of classes, or of a quantity.
    """
    students = [
        replace(
            recipe,
            name=f"{recipe.name}-distilled",
            effort=N_FOLDS * max(other.effort for other in recipes),
            form_of=recipe.name,
            given=partial(_taught, recipes),
        )
        for recipe in recipes
        if recipe.name in STUDENTS
    ]
    return [*recipes, *students]


def check_gain(recipe: Recipe, data: TaskData, answers: NDArray[np.float32]) -> None:
    """Refuse a model that is no more accurate than `recipe.above`, where that is given.

    Args:
        recipe: of the model.
        data: its validation items judge.
        answers: calibrated, to these; shape (n_items, output size).

    Raises:
        NotWorthwhileError: it is not.
    """
    if recipe.above is None:
        return
    found = estimate_accuracy(data.spec, answers, data.validation.targets, data.clusters).value
    if found <= recipe.above:
        raise NotWorthwhileError(
            f"{found:.4f} of the validation items, and {recipe.form_of} has {recipe.above:.4f} "
            "without a teacher"
        )


def unseen_answers(
    teacher: Recipe, data: TaskData, seed: int, progress: Progress
) -> NDArray[np.float32]:
    """Answers to the training rows, each by a model that has not learned from it.

    Args:
        teacher: makes the models.
        data: only `train` is learned from.
        seed: of everything that is random.
        progress: told the share done.

    Returns:
        Uncalibrated answers, shape (n_train, output size).

    Raises:
        NotWorthwhileError: a class has too few rows.
    """
    folds = divide(data, data.train.targets, data.units, seed)
    if folds is None:
        raise NotWorthwhileError("a class has too few rows for a teacher that has not seen each")
    apart = replace(data, validation=data.train, folds=folds)
    return out_of_fold(teacher, apart, seed, progress)[0]


def _taught(recipes: Sequence[Recipe], student: Recipe, cards: Sequence[ModelCard]) -> Recipe:
    """The student of the best of these models."""
    accuracies = {card.model: card.validation_accuracy.value for card in cards}
    by_name = {r.name: r for r in recipes if r.name in accuracies and r.form_of is None}
    plain = by_name.get(student.form_of or "")
    if plain is None:
        raise NotWorthwhileError(f"there is no {student.form_of} to compare it with")
    best = max(by_name, key=lambda name: accuracies[name])
    if accuracies[best] <= accuracies[plain.name]:
        raise NotWorthwhileError(f"no model is more accurate than {plain.name}")
    return replace(
        student,
        algorithm=f"{student.algorithm}, distilled from {best}",
        fit=partial(fit_taught, plain, by_name[best]),
        above=accuracies[plain.name],
        given=None,
    )


def fit_taught(
    plain: Recipe, teacher: Recipe, data: TaskData, seed: int, progress: Progress
) -> FittedModel:
    """Fit a network on a teacher's answers and the truth.

    Args:
        plain: makes the network.
        teacher: makes the models that answer.
        data: only `train` is learned from.
        seed: of everything that is random.
        progress: told the share done.

    Raises:
        NotWorthwhileError: as of `unseen_answers`.
    """
    share = N_FOLDS / (N_FOLDS + 2)
    outputs = unseen_answers(teacher, data, seed, lambda done: progress(share * done))
    classifies, rows = data.spec.classifies, data.train
    temperature = fit_temperature(outputs, rows.targets) if classifies else 1.0
    truth = np.eye(len(data.spec.labels))[rows.targets] if classifies else rows.targets
    soft = TEACHER_SHARE * _said(outputs, temperature) + (1 - TEACHER_SHARE) * truth
    rows = replace(rows, soft=soft.astype(np.float32))
    if has_columns(data.spec):
        model = teacher.fit(sample(data, teacher.most_rows, seed), seed, lambda done: None)
        mixed = mix_rows(rows.inputs, _features(data), seed)
        rows = _behind(rows, mixed, _said(model.predict(mixed), temperature))
    rest = 1 / (N_FOLDS + 2)
    return plain.fit(
        replace(data, train=rows, folds=None, units=None),
        seed,
        lambda done: progress(1 - rest + rest * done),
    )


def _features(data: TaskData) -> NDArray[np.float32]:
    """The training rows as numbers on one scale."""
    columns, matrix = preprocessing(data.spec), as_matrix(data.spec, data.train.inputs)
    return np.asarray(columns.fit_transform(matrix, data.train.targets), np.float32)


def _said(outputs: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Probabilities, shape (n_rows, n_labels), or values, shape (n_rows,)."""
    return outputs[:, 0] if outputs.shape[1] == 1 else Temperature(temperature).apply(outputs)


def _behind(rows: Split, inputs: Inputs, said: NDArray[np.float32]) -> Split:
    """The rows with further ones behind, whose truth is what a teacher says."""
    assert rows.soft is not None
    targets = said.argmax(axis=1) if said.ndim == 2 else said
    return Split(
        {name: np.concatenate([array, inputs[name]]) for name, array in rows.inputs.items()},
        np.concatenate([rows.targets, targets]),
        np.concatenate([rows.soft, said]),
    )
