"""How Prometheus' text formats write names, labels and numbers."""

from collections.abc import Mapping

from prometheus_client import Metric
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

_GO_WRITES_AS_WE_DO = 1e6
"""Below this a number is written as Python writes it."""


def line_start(name: str, labels: Mapping[str, str]) -> str:
    """How the line of a sample begins; its number follows.

    Args:
        name: of the sample, without special characters, as are those of labels.
        labels: values by name.
    """
    if not labels:
        return name + " "
    text = ",".join(f'{k}="{escaped(v)}"' for k, v in sorted(labels.items()))
    return f"{name}{{{text}}} "


def header(family: Metric, is_openmetrics: bool) -> str:
    """The two lines before the samples of a family."""
    name = family.name
    if family.type == "counter" and not is_openmetrics:
        name += "_total"
    about = family.documentation
    text = escaped(about) if is_openmetrics else _without_breaks(about)
    return f"# HELP {name} {text}\n# TYPE {name} {family.type}"


def number_text(value: float) -> str:
    """A sample's value."""
    number = float(value)
    if -_GO_WRITES_AS_WE_DO < number < _GO_WRITES_AS_WE_DO:
        return repr(number)
    text: str = floatToGoString(number)  # type: ignore[no-untyped-call]
    return text


def exemplar_text(exemplar: Exemplar) -> str:
    """What stands behind the number of a sample that has an exemplar."""
    labels = ",".join(f'{k}="{escaped(v)}"' for k, v in sorted(exemplar.labels.items()))
    at = "" if exemplar.timestamp is None else f" {exemplar.timestamp}"
    return f" # {{{labels}}} {number_text(exemplar.value)}{at}"


def escaped(text: str) -> str:
    """A label's value between its quotes."""
    return _without_breaks(text).replace('"', r"\"")


def _without_breaks(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n")
