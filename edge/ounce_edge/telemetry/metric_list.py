"""What every metric of a worker is, as `metrics.yaml` says it: for `/metrics`, and for its page."""

import re
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter

_LIST = Path(__file__).with_name("metrics.yaml")
_LINK = re.compile(r"\[([^]]+)\]\([^)]+\)")


class MetricText(BaseModel):
    """One metric."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(pattern=r"^ounce_[a-z_]+$")]
    """As Prometheus shows it."""
    section: Literal["answered", "promised", "cost", "state"]
    """Of the page."""
    kind: Literal["counter", "gauge", "histogram"]
    labels: tuple[str, ...]
    unit: str
    """Empty where the value is none."""
    meaning: str
    """Markdown, with links from the folder of the pages."""

    @property
    def family(self) -> str:
        """Its name without the suffix of a counter."""
        return self.name.removesuffix("_total")

    @property
    def help_text(self) -> str:
        """`meaning` without markup."""
        return _LINK.sub(r"\1", self.meaning).replace("`", "").removesuffix(".")

    @property
    def row(self) -> str:
        """Its row of the page."""
        labels = ", ".join(self.labels)
        return f"| `{self.name}` | {labels} | {self.unit} | {self.meaning} |"


@cache
def read_metrics() -> tuple[MetricText, ...]:
    """All metrics, in the order of the page."""
    document = yaml.safe_load(_LIST.read_text(encoding="utf-8"))
    return TypeAdapter(tuple[MetricText, ...]).validate_python(document)


def metrics_table(section: str) -> str:
    """The table of a section of the page."""
    rows = [metric.row for metric in read_metrics() if metric.section == section]
    return "\n".join(["| Metric | Labels | Unit | Meaning |", "| --- | --- | --- | --- |", *rows])
