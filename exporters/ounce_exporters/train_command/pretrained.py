"""What a training starts from: found wrong before the data is read, where that can be told."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from ounce_schemas.errors import DataError
from rich.console import Console

from ounce_exporters.ladder.recipe import Recipe, TaskData
from ounce_exporters.own.backbone import Backbone, read_backbone
from ounce_exporters.own.feeding import read_range
from ounce_exporters.progress.console import say
from ounce_exporters.tasks.sequence.ts_files import is_ts_file
from ounce_exporters.tasks.table.options import read_image_size
from ounce_exporters.train_command.settings import TrainSettings

if TYPE_CHECKING:  # torch takes seconds to import, and `--help` needs none
    from ounce_exporters.training.fine_tuning import Start


def find_start(settings: TrainSettings) -> "Start | None":
    """The network that `--from` names; None where it is not given.

    Raises:
        ArtifactError: there is no such model, or it keeps no weights.
        DataError: the options say that the data is of another kind than the network's.
        UsageError: `--only` leaves it out.
    """
    if settings.from_ is None:
        return None
    from ounce_exporters.training.fine_tuning import read_start

    start = read_start(settings.from_)
    _check_kind(start, settings)
    if settings.only and start.card.model not in settings.only:
        raise click.UsageError(
            f"--from starts {start.card.model}, which --only leaves out: name it with --only, too"
        )
    return start


def find_backbone(settings: TrainSettings) -> Backbone | None:
    """The part of a network that `--from-onnx` names; None where it is not given.

    Raises:
        ArtifactError: the file or the tensor is no use.
    """
    if settings.from_onnx is None:
        return None
    file, _, tensor = settings.from_onnx.rpartition("#")
    read_range(settings.pixels)
    return read_backbone(Path(file), tensor, settings.licence)


def backbone_recipes(
    data: TaskData, backbone: Backbone | None, settings: TrainSettings, console: Console
) -> list[Recipe]:
    """The models on the features of a backbone; none without one.

    Raises:
        ExportError: it does not fit the task.
    """
    if backbone is None:
        return []
    from ounce_exporters.training.heads import head_recipes

    origin = backbone.origin
    said = f"licence: {origin.licence}" if origin.licence else "no licence is known (--licence)"
    say(
        console,
        f"Note: the network of {origin.file} stays as it is, sha256 {origin.sha256}; {said}",
    )
    balanced = settings.class_weights == "balanced"
    return head_recipes(data, backbone, read_range(settings.pixels), balanced)


def _check_kind(start: "Start", settings: TrainSettings) -> None:
    from ounce_exporters.tasks.image.models import NETWORKS as OF_IMAGES
    from ounce_exporters.tasks.sequence.models import NETWORKS as OF_SEQUENCES

    tensor, name = start.card.inputs[0], start.card.model
    of_images, of_sequences = tensor.datatype == "UINT8", tensor.channels is not None
    if not of_images and not of_sequences:
        raise DataError(
            f"{start.named}: its network reads {tensor.size} numbers, and --from is for those of "
            f"images and sequences; take it as it is with --from-onnx "
            f"{settings.from_}/model.onnx#TENSOR"
        )
    networks = OF_IMAGES if of_images else OF_SEQUENCES
    if name not in networks:
        raise DataError(
            f"{start.named}: no network of that name is trained here; start from one of "
            f"{', '.join(networks)}"
        )
    if of_images:
        _check_images(start, settings)
    elif _is_folder(settings) or settings.image is not None:
        raise DataError(f"{start.named}: it reads sequences, and the data is of images")
    elif settings.window is None and settings.data is not None and not is_ts_file(settings.data):
        raise DataError(
            f"{start.named}: it reads sequences: say with --window N --unit COLUMN how the table's "
            "rows become some"
        )


def _check_images(start: "Start", settings: TrainSettings) -> None:
    data = settings.data
    if settings.window is not None or (data is not None and is_ts_file(data)):
        raise DataError(f"{start.named}: it reads images, and the data is of sequences")
    size = read_image_size(settings.image)
    channels = start.card.inputs[0].shape[2]
    if size is not None and size[2] not in (None, channels):
        raise DataError(
            f"{start.named}: it reads images of {channels} channel{'s' * (channels > 1)}, and "
            f"--image {settings.image} has {size[2]}: give --image {size[0]}x{size[1]}x{channels}"
        )


def _is_folder(settings: TrainSettings) -> bool:
    return settings.data is not None and settings.data.is_dir()
