"""Options of a table, as `ounce train` and `ounce advise` take them."""

from pathlib import Path
from typing import Literal

from ounce_schemas.errors import DataError
from ounce_schemas.task import TaskKind, TaskSpec
from pydantic import BaseModel, Field

from ounce_exporters.tasks.table.options import (
    TableOptions,
    Writing,
    read_column_kinds,
    read_image_size,
    read_measure,
    read_separator,
)

TABLE_OPTIONS = {
    "A table of your own": (
        "data",
        "target",
        "task",
        "tolerance",
        "kind",
        "false_alarms",
        "clusters",
        "reference",
        "class_weights",
        "measure",
    ),
    "How the table is written": ("sep", "encoding", "header", "skip", "decimal"),
    "Its columns": ("columns", "without", "image"),
    "Sequences": ("window", "remaining"),
    "What validates and tests": ("unit", "time", "test", "by"),
    "Its models": ("tune", "from_", "from_onnx", "pixels", "licence", "distil"),
}
"""Options that are of a table alone, by the heading that help shows them under."""
UNLABELLED = ("anomaly", "clusters")
"""Kinds of task that need no target."""


class TableSettings(BaseModel):
    """What is said of a table, and where its models go."""

    models: Path = Field(
        default=Path("models"),
        description="Folder of all tasks' models",
    )
    data: Path | None = Field(
        default=None,
        description="Table to learn from: text such as .csv or .tsv, maybe .gz, or .parquet; or a "
        "folder with a folder of PNG or JPEG images for each class",
    )
    target: str | None = Field(
        default=None,
        description="Column of the table to predict",
    )
    task: str | None = Field(
        default=None,
        description="Name of the table's task; default: the file's name",
    )
    tolerance: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Regression: absolute error that is still acceptable; default: what a quick "
        "model reaches for 95% of the rows",
    )
    kind: TaskKind | None = Field(
        default=None,
        description="What is asked: classes, a quantity, or which rows are strange (anomaly), or "
        "which belong together (clusters), both also without --target; default: texts and up to "
        "20 whole numbers are classes",
    )
    false_alarms: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Anomaly: largest share of normal rows that may be flagged; default: 0.01",
    )
    clusters: int | None = Field(
        default=None,
        ge=2,
        le=100,
        description="Clusters: how many; default: found out, 10 at most",
    )
    reference: Literal["gaussian-mixture", "k-means"] | None = Field(
        default=None,
        description="Clusters: the model whose assignment counts; default: gaussian-mixture, or "
        "k-means where inputs are not numbers alone",
    )
    class_weights: Literal["none", "balanced"] = Field(
        default="none",
        description="Whether rare classes count as much as frequent ones while training",
    )
    measure: str = Field(
        default="accuracy",
        description="What accuracies and floors mean: accuracy, balanced-accuracy, "
        "recall:CLASS@RATE with RATE false alarms at most, or f1:CLASS",
    )
    sep: str | None = Field(
        default=None,
        description="Separator of values: one character, or tab, space; default: found out",
    )
    encoding: str | None = Field(
        default=None,
        description="Of a text file, such as latin-1; default: found out",
    )
    header: bool | None = Field(
        default=None,
        description="Whether the first line names the columns; default: found out; without one "
        "they are called 0, 1, 2",
    )
    skip: int | None = Field(
        default=None,
        ge=0,
        description="Lines before the header or first row; default: found out",
    )
    decimal: Literal[".", ","] | None = Field(
        default=None,
        description="Decimal mark of numbers; default: found out",
    )
    columns: tuple[str, ...] = Field(
        default=(),
        description="NAME=KIND: number, category, text, date, date:FORMAT such as date:%d/%m/%Y, "
        "image (paths of files), or ignore (can be repeated)",
    )
    without: tuple[str, ...] = Field(
        default=(),
        description="Column that is no input (can be repeated)",
    )
    window: int | None = Field(
        default=None,
        ge=2,
        le=4096,
        description="Learn from the last so many rows of each --unit, in the order of --time: a "
        "sequence; of a .ts file, the most steps of a series",
    )
    remaining: int | None = Field(
        default=None,
        ge=1,
        description="With --window, of units that ran until they failed: the target is how many "
        "rows of its unit are left, at most so many; no --target",
    )
    image: str | None = Field(
        default=None,
        description="Images have, or are brought to, HEIGHTxWIDTH or HEIGHTxWIDTHx3 pixels; a row "
        "of a table without paths holds them; default: at most 64 a side",
    )
    unit: str | None = Field(
        default=None,
        description="Column that tells whose a row is (machine, patient, site): all rows of one "
        "stay in one split",
    )
    time: str | None = Field(
        default=None,
        description="Column of dates or numbers: later rows validate and test",
    )
    test: Path | None = Field(
        default=None,
        description="Another table, of other days or places: it validates and tests",
    )
    by: str | None = Field(
        default=None,
        description="Column by whose values figures are told apart, with intervals; it need not be "
        "an input",
    )
    seed: int = Field(
        default=0,
        ge=0,
        lt=2**32,
        description="Fixes splits and training",
    )

    @property
    def lacks_target(self) -> bool:
        """Whether neither an option nor the data say what is to be predicted."""
        if self.target is not None or self.kind in UNLABELLED or self.remaining is not None:
            return False
        if self.data is None or self.data.is_dir():
            return False
        return not self.data.name.lower().removesuffix(".gz").endswith(".ts")

    def check_weights(self, task: TaskSpec) -> None:
        """Refuse weights of classes where there are none.

        Raises:
            DataError: the task asks no class.
        """
        if self.class_weights == "balanced" and task.kind != "classification":
            raise DataError(f"--class-weights is for classes: the task is of kind {task.kind}")

    @property
    def table(self) -> TableOptions:
        """What is said of the table.

        Raises:
            DataError: an option holds what it can't mean.
        """
        return TableOptions(
            writing=Writing(
                separator=read_separator(self.sep),
                encoding=self.encoding,
                header=self.header,
                skip=self.skip,
                decimal=self.decimal,
            ),
            columns=read_column_kinds(self.columns),
            without=frozenset(self.without),
            kind=self.kind,
            false_alarms=self.false_alarms,
            clusters=self.clusters,
            reference=self.reference,
            tolerance=self.tolerance,
            unit=self.unit,
            time=self.time,
            test=self.test,
            measure=read_measure(self.measure),
            by=self.by,
            image=read_image_size(self.image),
            window=self.window,
            remaining=self.remaining,
        )
