"""Data and recipes of the task `pump`."""

import numpy as np
from ounce_schemas.cells import Cell
from ounce_schemas.task import ANOMALY, NORMAL, TaskSpec, TensorSpec

from ounce_exporters.ladder.recipe import Recipe, TaskData
from ounce_exporters.tasks.pump.simulation import COLUMNS, FAULTS, simulate
from ounce_exporters.tasks.splits import split_task
from ounce_exporters.tasks.table import anomalies

SPEC = TaskSpec(
    name="pump",
    kind="anomaly",
    description="Which readings of a pump are strange.",
    inputs=(
        TensorSpec(
            name="input",
            datatype="FP32",
            shape=(len(COLUMNS),),
            columns=COLUMNS,
            cells=tuple(Cell(column=name, read="number") for name in COLUMNS),
        ),
    ),
    labels=(NORMAL, ANOMALY),
    false_alarms=0.01,
)
SOURCE = f"simulated centrifugal pump, healthy or with {', '.join(FAULTS)}"
FAULTY = 0.05
"""Share of the readings that have a fault; no model learns from them."""


def load(seed: int, *, quick: bool = False) -> TaskData:
    """12,000 readings, 6,000 where it is to be quick, split by seed."""
    readings = simulate(6000 if quick else 12000, FAULTY, seed)
    return split_task(
        SPEC, SOURCE, {"input": readings.values}, readings.is_strange.astype(np.int64), seed
    )


def recipes(data: TaskData, *, quick: bool = False) -> list[Recipe]:
    """The models of a table's anomalies."""
    return [family.recipe() for family in anomalies.families(data)]
