"""The model card: what is promised of one ONNX file, and how it was measured."""

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from ounce_schemas.explanation import Explanation
from ounce_schemas.latency import Latency, LatencyAtBatch
from ounce_schemas.measure import ACCURACY, Measure
from ounce_schemas.task import Document, TaskName, TensorSpec

__all__ = [
    "AccuracyEstimate",
    "Calibration",
    "Canaries",
    "ClassFigures",
    "CrossValidation",
    "GroupFigures",
    "GroupTable",
    "Importance",
    "Latency",
    "LatencyAtBatch",
    "LearningPoint",
    "ModelCard",
    "ModelName",
    "OverallFigures",
    "Parity",
    "RegressionFigures",
    "Sha256",
    "Share",
    "TrainingData",
]

Share = Annotated[float, Field(ge=0, le=1)]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ModelName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class AccuracyEstimate(Document):
    """A task's measure of acceptable predictions, with its 95% interval.

    The interval is Wilson's for plain accuracy. Other measures count few items: theirs has a
    continuity correction, and fewer than 6 items show nothing.
    """

    value: Share
    low: Share
    high: Share
    n: int = Field(ge=1, description="Number of items that count")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"interval [{self.low}, {self.high}] does not hold {self.value}")
        return self


class ClassFigures(Document):
    """Per-class figures on the test split."""

    label: str
    precision: Share
    recall: Share
    f1: Share
    support: int = Field(ge=0)


class OverallFigures(Document):
    """Figures of a classification model on the test split. Every class counts alike, however many
    items it has; where there are more than two, areas are means of each class against the rest."""

    balanced_accuracy: Share = Field(description="Mean recall of the classes")
    precision: Share
    recall: Share
    f1: Share
    roc_auc: Share | None = Field(
        default=None, description="Area under the ROC curve; absent where a class has no item"
    )
    pr_auc: Share | None = Field(
        default=None, description="Average precision; absent where a class has no item"
    )
    log_loss: float = Field(ge=0)
    brier: float = Field(ge=0, le=2, description="Mean squared distance of the probabilities")


class CrossValidation(Document):
    """Accuracy on each fold that the model had not learned from, with a 95% t-interval of the
    mean. Folds share training items, so the interval is a guide."""

    folds: tuple[Share, ...] = Field(min_length=2)
    mean: Share
    low: Share
    high: Share


class RegressionFigures(Document):
    """Errors of a regression model on the test split, in the target's unit."""

    mean_absolute_error: float = Field(ge=0)
    root_mean_squared_error: float = Field(ge=0)
    r2: float = Field(le=1)
    interval_coverage: Share = Field(description="Share of true values inside the interval")
    interval_width: float = Field(ge=0)


class LearningPoint(Document):
    """Accuracy of a model that has learned from some of the rows."""

    n_rows: int = Field(ge=1)
    train: Share = Field(description="On the rows that taught it")
    validation: Share = Field(description="On rows that did not")


class Importance(Document):
    """Accuracy that is lost on the test split where one input is shuffled."""

    input: str
    lost: float = Field(ge=-1, le=1, description="Mean of the repeats")
    spread: float = Field(ge=0, description="Standard deviation of the repeats")


class GroupFigures(Document):
    """One group's figures on the validation split, with 95% Wilson intervals."""

    name: str
    accuracy: AccuracyEstimate
    recall: AccuracyEstimate | None = Field(
        default=None, description="Two labels: share of the second label's items that get it"
    )
    false_alarms: AccuracyEstimate | None = Field(
        default=None, description="Two labels: share of the first label's items that get the second"
    )


class GroupTable(Document):
    """Figures by the values of a column, which need not be an input."""

    column: str
    least_items: int = Field(ge=1, description="Smaller groups stand together")
    groups: tuple[GroupFigures, ...] = Field(min_length=1)


class Calibration(Document):
    """How confidences (classification), intervals (regression) or p-values (anomaly) were made."""

    method: Literal["temperature", "split-conformal", "conformal-p-values"]
    n: int = Field(ge=1, description="Items of the validation split used to calibrate")
    temperature: float | None = Field(default=None, gt=0)
    biases: tuple[float, ...] = Field(
        default=(),
        description="By label: what was added to the logarithm of its probability, before all were "
        "scaled to a sum of 1, so that the greatest one follows the task's measure; empty: nothing",
    )
    ece_before: Share | None = Field(default=None, description="Expected calibration error, test")
    ece_after: Share | None = Field(default=None, description="Expected calibration error, test")
    half_width: float | None = Field(default=None, ge=0, description="Conformal half width")
    false_alarms: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Conformal p-values: largest share of normal items that may be flagged",
    )


class TrainingData(Document):
    """The data a model was made from; splits are fixed by the seed.

    They are disjoint where there are no folds. With folds the model has learned from the validation
    items too, but each was answered by a model that had not.
    """

    sha256: Sha256 = Field(description="Digest of inputs and targets before splitting")
    source: str
    n_train: int = Field(ge=0, description="0: not known, of a model that was made elsewhere")
    n_validation: int = Field(ge=1)
    n_test: int = Field(ge=1)
    n_folds: int = Field(
        default=0, ge=0, description="Folds of cross-fitting; 0: validation items taught no model"
    )
    n_sampled: int | None = Field(
        default=None,
        ge=1,
        description="Of the n_train items, those that the model learned from where it was not all",
    )


class Parity(Document):
    """Difference between the ONNX file and the native model on the whole test split."""

    agreement: Share = Field(description="Share of items with the same label or close value")
    largest_difference: float = Field(ge=0)
    n: int = Field(ge=1)


class BackboneOrigin(Document):
    """A network of somebody else, whose features a model reads and which learned nothing here."""

    file: str = Field(description="Name of the ONNX file")
    tensor: str = Field(description="Whose values are the features")
    sha256: Sha256 = Field(description="Digest of the ONNX file")
    licence: str | None = Field(default=None, description="As the file or the person who trained "
                                "says; absent: nobody said")  # fmt: skip


class Canaries(Document):
    """Test items, and what the file answered when it was made. Wherever it is loaded it has to
    answer so again, within rounding, before it serves."""

    inputs: dict[str, tuple[float | str | None, ...]] = Field(
        description="By tensor the values of all items, row by row; null for a missing value"
    )
    answers: tuple[tuple[float, ...], ...] = Field(
        min_length=1, description="One for each item: probabilities, or value and interval"
    )


class ModelCard(Document):
    """`models/<task>/<model>/card.json`, beside `model.onnx` and the page `README.md`."""

    schema_version: Literal[1] = 1
    task: TaskName
    model: ModelName
    version: str = Field(min_length=1, description="First 12 digits of sha256")
    family: Literal["classical", "neural"]
    algorithm: str
    inputs: tuple[TensorSpec, ...]
    output: TensorSpec
    validation_accuracy: AccuracyEstimate = Field(
        description="What routing relies on; measured on data that is neither training nor test"
    )
    test_accuracy: AccuracyEstimate = Field(description="Reported only; nothing chooses by it")
    measure: Measure = Field(default=ACCURACY, description="The task's: what accuracies here mean")
    validation_false_alarms: AccuracyEstimate | None = Field(
        default=None,
        description="Recall: share of other classes' items answered with the measure's class. "
        "Anomaly: share of normal items that are flagged",
    )
    test_false_alarms: AccuracyEstimate | None = None
    cross_validation: CrossValidation | None = None
    overall: OverallFigures | None = None
    classes: tuple[ClassFigures, ...] = ()
    regression: RegressionFigures | None = None
    groups: GroupTable | None = None
    learning_curve: tuple[LearningPoint, ...] = ()
    importances: tuple[Importance, ...] = ()
    calibration: Calibration
    parity: Parity
    latency: Latency
    explanation: Explanation | None = None
    unexplained: str | None = Field(
        default=None, description="Why the model's answers can't be explained"
    )
    not_on_gpu: str | None = Field(
        default=None,
        description="Why TensorRT does not take the model, where that was known when it was made",
    )
    canaries: Canaries | None = None
    backbone: BackboneOrigin | None = Field(
        default=None, description="Of a model on the features of a network made elsewhere"
    )
    size_bytes: int = Field(ge=1)
    parameters: int = Field(ge=0, description="Learned numbers: weights, or thresholds and leaves")
    training: TrainingData
    seed: int
    libraries: dict[str, str] = Field(description="Versions of what made the file")
    created: datetime
    sha256: Sha256 = Field(description="Digest of model.onnx")
