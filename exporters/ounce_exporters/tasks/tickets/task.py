"""Data and recipes of the task `tickets`."""

from ounce_schemas.cells import Cell
from ounce_schemas.task import TaskSpec, TensorSpec

from ounce_exporters.ladder.recipe import Recipe, TaskData
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.tasks.table import text_models
from ounce_exporters.tasks.table.sentences import TEXT_INPUT, cut
from ounce_exporters.tasks.tickets.messages import TEAMS, write

TEXT_BYTES = 112
SPEC = TaskSpec(
    name="tickets",
    kind="classification",
    description="Which team an operator's message about a machine is for.",
    inputs=(
        TensorSpec(
            name=TEXT_INPUT,
            datatype="BYTES",
            shape=(1,),
            columns=("message",),
            cells=(Cell(column="message", read="sentence"),),
            text_bytes=TEXT_BYTES,
        ),
    ),
    labels=TEAMS,
)
SOURCE = "messages of machine operators, written by a grammar"


def load(seed: int, *, quick: bool = False) -> TaskData:
    """4,000 different messages, 2,000 where it is to be quick, split by seed."""
    texts, teams = write(2000 if quick else 4000, seed)
    return split_task(SPEC, SOURCE, {TEXT_INPUT: cut(texts, TEXT_BYTES)[:, None]}, teams, seed)


def recipes(data: TaskData, *, quick: bool = False) -> list[Recipe]:
    """The models of texts."""
    return [family.recipe() for family in text_models.families(balanced=False)]
