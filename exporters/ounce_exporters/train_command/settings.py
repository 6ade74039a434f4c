"""Options of `ounce train`."""

from pathlib import Path

from ounce_schemas.documents import QUICK_FOLDER
from pydantic import Field

from ounce_exporters.tasks.table.settings import TableSettings


class TrainSettings(TableSettings):
    """Options of `ounce train`."""

    tune: int | None = Field(
        default=None,
        ge=1,
        description="Search for the models with so many trials: the ladder is those that none "
        "beats in error and cost; Ctrl-C keeps what was found",
    )
    from_: Path | None = Field(
        default=None,
        description="Of images and sequences: folder of a model whose network the one of its name "
        "starts from, such as models/mnist/cnn",
    )
    from_onnx: str | None = Field(
        default=None,
        description="Two more models, on the features that a network in an ONNX file has at one of "
        "its tensors, such as net.onnx#pooled; the network learns nothing",
    )
    pixels: str = Field(
        default="0..1",
        description="With --from-onnx, of images: range of pixels that its network reads, such as "
        "0..1, -1..1 or 0..255, or imagenet",
    )
    licence: str | None = Field(
        default=None,
        description="With --from-onnx: licence of its network, for the card; default: what the "
        "file says",
    )
    distil: bool = Field(
        default=False,
        description="Train a light network on the answers of the most accurate model, too: a model "
        "of its own, left out where it is no more accurate than the network without them",
    )
    quick: bool = Field(
        default=False,
        description="A smaller ladder of a task that ships, trained in seconds, in the folder "
        f"{QUICK_FOLDER}/ of the models folder: to see everything at work, not to be relied on",
    )
    keep_lighter: bool = Field(
        default=False,
        description="Make forms of models in FP16, INT8 and tensor operators, and keep them also "
        "where they are no cheaper on this machine: for a worker elsewhere, such as one with a "
        "GPU; with --only, of the models that it names",
    )
    only: tuple[str, ...] = Field(
        default=(),
        description="Build this model alone (can be repeated); others are left as they are",
    )
    time_limit: float | None = Field(
        default=None,
        gt=0,
        allow_inf_nan=False,
        description="Seconds that training may take, about: models that don't fit are left out",
    )
    resume: bool = Field(
        default=False,
        description="Go on with an interrupted training of the same data and options: networks "
        "continue from their checkpoints",
    )
    report: Path | None = Field(
        default=None, description="File to append progress to, a line of JSON each time"
    )
    advice: Path | None = Field(
        default=None,
        description="Build what this advice.json of `ounce advise` says: its table, options, seed "
        "and models",
    )

    @property
    def folder(self) -> Path:
        """Where the task's folder goes."""
        return self.models / QUICK_FOLDER if self.quick else self.models
