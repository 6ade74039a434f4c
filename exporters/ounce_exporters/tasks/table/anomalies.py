"""Normal items among which a few may be strange."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from ounce_schemas.errors import DataError
from ounce_schemas.task import ANOMALY, NORMAL
from ounce_schemas.wording import counted
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from ounce_exporters.export.p_values import fewest_normal
from ounce_exporters.ladder.recipe import FittedModel, Progress, TaskData
from ounce_exporters.tasks.splits import LEAST_PER_CLASS
from ounce_exporters.tasks.table.preprocessing import preprocessing, with_gaps
from ounce_exporters.tasks.table.target import Target
from ounce_exporters.tasks.unlabelled import strange_features
from ounce_exporters.training.autoencoder import ReconstructionScore
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.crossfit import select
from ounce_exporters.training.featured import fit_behind
from ounce_exporters.training.isolation_forest import IsolationScore
from ounce_exporters.training.mahalanobis import MahalanobisScore
from ounce_exporters.training.mixed_rows import has_columns
from ounce_exporters.training.tuning import Family, Fit

Steps = Callable[[], list[tuple[str, Any]]]
FALSE_ALARMS = 0.01
"""Promised where nothing is said."""


def all_normal(n_rows: int) -> Target:
    """The target of rows that have no labels: they are taken for normal."""
    rows = np.ones(n_rows, np.bool_)
    said = ("no --target: all rows are taken for normal; strange ones among them make the models "
            "flag fewer, never more",)  # fmt: skip
    return Target(rows, np.zeros(n_rows, np.int64), (NORMAL, ANOMALY), "anomalies", said)


def read_anomalies(texts: pd.Series, name: str) -> Target:
    """The target of labelled rows: the most frequent label is normal, every other an anomaly.

    Args:
        texts: the column; an empty text is a row without a label.
        name: of the column.

    Raises:
        DataError: there is one label only, or there are too few anomalies to be judged by.
    """
    rows = (texts != "").to_numpy(bool)
    present = texts[rows]
    counts = present.value_counts()
    if len(counts) < 2:
        raise DataError(
            f"target {name!r} has {counted(len(counts), 'value')}: give normal rows and "
            "anomalies, or leave out --target, and all rows are taken for normal"
        )
    normal = str(counts.index[0])
    n = int(counts.iloc[1:].sum())
    if n < LEAST_PER_CLASS:
        raise DataError(
            f"target {name!r} has {counted(n, 'row')} that are not {normal!r}: at least "
            f"{LEAST_PER_CLASS} are needed to judge by; leave out --target to learn without labels"
        )
    others = ", ".join(repr(str(label)) for label in counts.index[1:6])
    said = f"{normal!r} of {name!r} is normal; {n} rows of {others} are anomalies; no model learns "
    values = (present != normal).to_numpy(np.int64)
    return Target(rows, values, (NORMAL, ANOMALY), name, (said + "from them",))


def check_normal(data: TaskData) -> None:
    """Refuse data by which the promised rate can't be shown.

    Raises:
        DataError: too few normal rows validate.
    """
    rate = data.spec.false_alarms
    assert rate is not None  # checked by TaskSpec
    n, needed = int((data.validation.targets == 0).sum()), fewest_normal(rate)
    if n < needed:
        raise DataError(
            f"{n} normal rows validate: --false-alarms {rate:g} needs {needed}; give more rows, or "
            f"a rate of {_least_rate(n):g} or more"
        )


def _least_rate(n: int) -> float:
    """The least rate that so many normal rows can show, rounded up to three digits."""
    exact = 1 / (n + 1)
    unit = 10.0 ** (math.floor(math.log10(exact)) - 2)
    return math.ceil(exact / unit - 1e-9) * unit


def families(data: TaskData) -> list[Family]:
    """The families of models that find strange items."""
    task = data.spec
    extract = None if has_columns(task) else strange_features(task)
    scaled = _steps("scale", StandardScaler) if extract else _steps("columns", preprocessing, task)
    # Trees need no scale, and one would move their thresholds.
    bare = list if extract else _steps("columns", lambda: with_gaps(task)[0])

    def family(
        name: str,
        algorithm: str,
        steps: Steps,
        make: Callable[[int], Any],
        kind: Literal["classical", "neural"] = "classical",
    ) -> Family:
        def pipeline(_: object, seed: int) -> Pipeline:
            return Pipeline([*steps(), ("model", make(seed))])

        fit = fit_classical(pipeline)
        if extract is not None:
            fit, algorithm = fit_behind(fit, extract[0]), f"{algorithm}, on {extract[1]}"
        return Family(name, kind, algorithm, lambda: of_normal(fit), {})

    return [
        family(
            "mahalanobis",
            "Mahalanobis distance, shrunk covariance",
            scaled,
            lambda _: MahalanobisScore(),
        ),
        family(
            "isolation-forest",
            "isolation forest of 100 trees",
            bare,
            lambda seed: IsolationScore(random_state=seed),
        ),
        family(
            "autoencoder",
            "autoencoder, error of what is given back",
            scaled,
            lambda seed: ReconstructionScore(random_state=seed),
            "neural",
        ),
    ]


def _steps(name: str, make: Callable[..., Any], *arguments: Any) -> Steps:
    return lambda: [(name, make(*arguments))]


def of_normal(fit: Fit) -> Fit:
    """The same fit, from normal rows alone."""

    def fit_normal(data: TaskData, seed: int, progress: Progress) -> FittedModel:
        kept = select(data.train, data.train.targets == 0)
        return fit(replace(data, train=kept), seed, progress)

    return fit_normal
