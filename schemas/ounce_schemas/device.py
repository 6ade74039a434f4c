"""How fast a machine runs models: `ounce runtimes --card` writes it for `ounce advise --device`."""

from typing import Literal

from pydantic import Field

from ounce_schemas.task import Document


class ReferenceTimes(Document):
    """Median microseconds of a call of each reference graph, on one thread."""

    call_us: float = Field(
        gt=0, allow_inf_nan=False, description="A graph that does next to nothing"
    )
    matrix_us: float = Field(gt=0, allow_inf_nan=False, description="Products of matrices")
    trees_us: float = Field(gt=0, allow_inf_nan=False, description="An ensemble of decision trees")
    convolution_us: float = Field(gt=0, allow_inf_nan=False, description="Convolutions")


class DeviceCard(Document):
    """How fast a machine runs models. `format` changes with the reference graphs."""

    format: Literal[1] = 1
    host: str = Field(min_length=1, description="The machine's name")
    processor: str = Field(min_length=1, description="As its operating system names it")
    runtime: str = Field(min_length=1, description="Name and version, as `ounce runtimes` shows it")
    reference: ReferenceTimes
