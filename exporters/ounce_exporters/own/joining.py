"""A model joins a ladder: it is judged by the same items, and all plans are made anew."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import onnx
from ounce_schemas.errors import DataError, ExportError
from ounce_schemas.names import NAME_RULE, TASK_NAME_PATTERN

from ounce_exporters.cascades.planning import PlannedLadder, plan_ladder
from ounce_exporters.export.artifacts import new_ladder
from ounce_exporters.ladder.building import export_model
from ounce_exporters.ladder.recipe import Progress, Recipe
from ounce_exporters.own.judging import judge_again
from ounce_exporters.own.onnx_file import read_onnx
from ounce_exporters.own.splits import Judges
from ounce_exporters.own.wrapping import Foreign, Outputs, wrap
from ounce_exporters.report.page import write_report
from ounce_exporters.training.crossfit import Trained

Notice = Callable[[str], None]
_LONGEST = 40
_LEAK = (
    "the figures hold if the model has learned from none of the items that judge the ladder: "
    "its validation and test splits"
)


def from_file(path: Path) -> Foreign:
    """An ONNX file.

    Raises:
        ArtifactError: it is none that can be read.
    """
    graph = read_onnx(path)
    name = " ".join(graph.producer_name.split())[:_LONGEST]
    version = re.match(r"\s*(v?\d\S*)", graph.producer_version)  # CatBoost writes its Git log there
    maker = f", made with {name} {version[1][:_LONGEST] if version else ''}".rstrip()
    return Foreign(graph, f"own model {path.name}{maker if name else ''}")


def join(
    foreign: Foreign, name: str, models: Path, judges: Judges, hints: Outputs, notice: Notice
) -> PlannedLadder:
    """Add a model to a ladder, which is replaced whole or not at all.

    Args:
        foreign: the model.
        name: of the model in the ladder.
        models: the folder of all tasks.
        judges: the ladder, and the items that it is judged by.
        hints: what the person says of the outputs.
        notice: told one line about everything that is assumed.

    Raises:
        ArtifactError: the ladder can't be written.
        DataError: the name is taken, or is none.
        ExportError: the model does not answer the task.
    """
    _check_name(name, judges)
    data, seed, task = judges.data, judges.seed, judges.data.spec
    try:
        own, lines = wrap(foreign, task, data.validation, hints)
        for line in (*lines, _LEAK):
            notice(line)
        recipe = Recipe(name, foreign.family or _family(foreign.graph), own.source, _never)
        trained = Trained(own, own.predict(data.validation.inputs))
        with new_ladder(models, task, data.test, keep_models=True) as scratch:
            export_model(data, recipe, trained, scratch / task.name, seed)
            for other in judges.cards if judges.are_new else ():
                if other.model != name:
                    judge_again(scratch / task.name / other.model, other, data)
            planned = plan_ladder(data, scratch, seed, _Quiet(notice))
            write_report(scratch / task.name, data)
    except ExportError as e:
        raise ExportError(f"{name}: {e}") from e
    return planned


def model_name(text: str) -> str:
    """A model's name from a file's or a class's: `My net.onnx` becomes `my-net`."""
    stem = re.sub(r"\.onnx$", "", text, flags=re.IGNORECASE)
    stem = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", stem)
    return re.sub(r"[^a-z0-9]+", "-", stem.lower()).strip("-")[:63].rstrip("-")


def _check_name(name: str, judges: Judges) -> None:
    if re.fullmatch(TASK_NAME_PATTERN, name) is None:
        raise DataError(f"model name {name!r}: {NAME_RULE} (--name)")
    for card in judges.cards:
        if card.model == name and card.training.n_train:
            raise DataError(
                f"task {card.task!r} has a trained model {name!r}: give another name (--name)"
            )


def _family(graph: onnx.ModelProto) -> Literal["classical", "neural"]:
    domains = {node.domain for node in graph.graph.node}
    return "classical" if "ai.onnx.ml" in domains else "neural"


def _never(*_: Any) -> Any:
    raise ExportError("a model that was made elsewhere is not trained here")


class _Quiet:
    """Implements the reporter of planning."""

    def __init__(self, notice: Notice) -> None:
        self._notice = notice

    def planning(self) -> Progress:
        """Planning takes seconds."""
        return lambda share: None

    def left_out(self, line: str) -> None:
        """A model that no plan uses, and why."""
        self._notice(f"no plan uses {line}")
