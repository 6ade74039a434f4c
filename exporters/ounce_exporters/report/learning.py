"""The learning curve of a recipe: whether more rows would help, or a simpler model."""

import logging

import numpy as np
from ounce_schemas.card import LearningPoint

from ounce_exporters.evaluation.judgement import score_by
from ounce_exporters.ladder.recipe import FittedModel, Recipe, TaskData
from ounce_exporters.training.crossfit import sample, select, taught_by

logger = logging.getLogger(__name__)

_SHARES = (0.25, 0.5)
MOST_ROWS = 5_000
"""Of larger tables a curve would take as long as the training itself."""


def find_curve(
    recipe: Recipe, data: TaskData, judge: FittedModel | None, seed: int
) -> tuple[LearningPoint, ...]:
    """The task's measure of a recipe fitted on a quarter, half and all of the rows outside the
    first fold, on those rows and on the fold.

    Args:
        recipe: makes the models.
        data: with folds.
        judge: the model that has learned from all rows outside the first fold.
        seed: of everything that is random.

    Returns:
        Nothing where there are no folds, or more rows than `MOST_ROWS`. Nor of a distilled
        model: each of its fits is several of its teacher. Nor of another form of a model, whose
        curve is the model's.
    """
    if recipe.form_of is not None:
        return ()
    if judge is None or data.folds is None or data.folds.min() < 0 or len(data.train) > MOST_ROWS:
        return ()
    outside = np.random.default_rng(seed).permutation(np.flatnonzero(data.folds != 0))
    held_out = select(data.train, data.folds == 0)
    points = []
    for share in (*_SHARES, 1.0):
        chosen = np.zeros(len(data.train), np.bool_)
        chosen[outside[: int(len(outside) * share)]] = True
        part = sample(taught_by(data, chosen), recipe.most_rows, seed)
        if len(np.unique(part.train.targets)) < len(data.spec.labels):
            continue  # a class of which it has no row
        try:
            model = recipe.fit(part, seed, lambda done: None) if share < 1 else judge
            outputs = model.predict(held_out.inputs)
            score = score_by(recipe, part, outputs, held_out.targets)
            point = LearningPoint(
                n_rows=len(part.train),
                train=score(model.predict(part.train.inputs), part.train.targets),
                validation=score(outputs, held_out.targets),
            )
        except Exception:  # libraries raise many types; a curve that fails costs only itself
            logger.debug("learning curve failed model=%s", recipe.name, exc_info=True)
            return ()
        points.append(point)
    return tuple(points)
