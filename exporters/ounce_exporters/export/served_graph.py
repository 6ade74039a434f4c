"""The graph that a model is served as."""

import onnx
from ounce_schemas.policy_rules import Family
from ounce_schemas.task import TaskSpec

from ounce_exporters.export.calibration import Fitted
from ounce_exporters.export.graphs import check_signature
from ounce_exporters.export.standard import standardize_where_known


def served_graph(
    converted: onnx.ModelProto, calibrator: Fitted, task: TaskSpec, family: Family
) -> onnx.ModelProto:
    """The model, calibrated and checked.

    Args:
        converted: the model alone.
        calibrator: goes behind it.
        task: has its signature.
        family: of the model. What stands before a network must not keep it off a GPU.

    Raises:
        ExportError: inputs are missing, or unknown, or the graph is not valid ONNX.
    """
    graph = check_signature(calibrator.attach(converted, task), task)
    return standardize_where_known(graph) if family == "neural" else graph
