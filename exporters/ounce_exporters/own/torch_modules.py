"""Trained torch modules as graphs, beside their own answers."""

import copy

import torch
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec
from torch import nn

from ounce_exporters.own.wrapping import Foreign
from ounce_exporters.training import neural

_ITEMS = 3
"""Others than PyTorch exports with: a module of a fixed batch fails here or there."""


def from_torch(module: nn.Module, task: TaskSpec) -> Foreign:
    """A trained module that answers the task's one input of numbers with logits, or with a value.

    Raises:
        ExportError: the task has other inputs, or PyTorch can't export it.
    """
    if not task.accepts_raw or task.image is not None:
        what = "texts" if task.image is None else "images"
        raise ExportError(
            f"task {task.name!r} has {what} among its inputs, which a torch module can't read"
        )
    (tensor,) = task.inputs
    if isinstance(module, torch.jit.ScriptModule):
        raise ExportError("a TorchScript module can't be exported: add the module it was made of")
    if isinstance(module, nn.DataParallel):
        module = module.module
    module = getattr(module, "_orig_mod", module)  # inside what torch.compile has made
    module = module.eval()
    was_half = False
    _check_numbers(module)
    example = torch.zeros(_ITEMS, *tensor.shape)
    try:
        with torch.inference_mode():
            try:
                answer = module(example)
            except RuntimeError:
                kinds = {weight.dtype for weight in module.parameters()}
                if kinds not in ({torch.float16}, {torch.float64}):
                    raise
                module = copy.deepcopy(module).float()  # on CPUs it is quicker, too
                was_half = kinds == {torch.float16}
                answer = module(example)
    except Exception as e:  # whatever the module itself raises for such an input
        raise ExportError(
            f"{type(module).__name__} fails on an input of shape [n, "
            f"{', '.join(map(str, tensor.shape))}], tried with n = {_ITEMS}: "
            f"{' '.join(str(e).split())[:300]}; wrap it in a module that takes these numbers, of "
            "any number of items, or add an ONNX file whose inputs are named as columns"
        ) from e
    if not isinstance(answer, torch.Tensor):
        raise ExportError(
            f"{type(module).__name__} answers with a {type(answer).__name__}: wrap it in a module "
            "that answers with one tensor, of logits or of values"
        )
    _check_number(answer.dtype, module)
    graph, what = neural.export(module, tensor), f"own torch module {type(module).__name__}"
    if any(weight.dtype == torch.float16 for weight in module.parameters()):
        return Foreign(graph, what, family="neural")  # the graph rounds elsewhere than PyTorch
    return Foreign(
        graph,
        what,
        lambda inputs: neural.run(module, inputs[tensor.name]),
        "neural",
        was_half=was_half,
    )


def _check_numbers(module: nn.Module) -> None:
    for tensor in (*module.parameters(), *module.buffers()):
        _check_number(tensor.dtype, module)


def _check_number(dtype: torch.dtype, module: nn.Module) -> None:
    if dtype == torch.bfloat16:
        raise ExportError(
            f"{type(module).__name__} computes in bfloat16, which ONNX Runtime does not on CPUs: "
            "add module.float()"
        )
