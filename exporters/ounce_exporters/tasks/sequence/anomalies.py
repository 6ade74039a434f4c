"""The models of strange sequences: each reads statistics of the channels."""

from collections.abc import Callable
from typing import Any, Literal

from ounce_schemas.task import TaskSpec
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from ounce_exporters.tasks.table.anomalies import of_normal
from ounce_exporters.training.autoencoder import ReconstructionScore
from ounce_exporters.training.classical import fit_classical
from ounce_exporters.training.featured import fit_on_features
from ounce_exporters.training.isolation_forest import IsolationScore
from ounce_exporters.training.mahalanobis import MahalanobisScore
from ounce_exporters.training.sequences import statistics
from ounce_exporters.training.tuning import Family


def families() -> list[Family]:
    """The families of models that find strange sequences."""

    def family(
        name: str,
        algorithm: str,
        make: Callable[[int], Any],
        kind: Literal["classical", "neural"] = "classical",
    ) -> Family:
        def pipeline(_: TaskSpec, seed: int) -> Pipeline:
            return make_pipeline(StandardScaler(), make(seed))

        fit = of_normal(fit_on_features(fit_classical(pipeline), statistics))
        return Family(name, kind, f"{algorithm}, on statistics of each channel", lambda: fit, {})

    return [
        family(
            "mahalanobis",
            "Mahalanobis distance, shrunk covariance",
            lambda _: MahalanobisScore(),
        ),
        family(
            "isolation-forest",
            "isolation forest of 100 trees",
            lambda seed: IsolationScore(random_state=seed),
        ),
        family(
            "autoencoder",
            "autoencoder, error of what is given back",
            lambda seed: ReconstructionScore(random_state=seed),
            "neural",
        ),
    ]
