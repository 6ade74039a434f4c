"""A torch module that can't join is told why."""

import pytest
import torch
from ounce_exporters.own.torch_modules import from_torch
from ounce_schemas.errors import ExportError

from tests.exporters.own.test_half_precision import TASK


class Flow(torch.nn.Module):
    """Looks at its numbers."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * 2 if x.mean() > 0 else x


class Pair(torch.nn.Module):
    """Has two answers."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x, x


class Half(torch.nn.Module):
    """Answers in bfloat16."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.bfloat16()


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (Flow(), "PyTorch can't export this Flow: its flow depends on the data, .* torch.where"),
        (Pair(), "Pair answers with a tuple: wrap it in a module that answers with one tensor"),
        (Half(), "Half computes in bfloat16, .*: add module.float()"),
        (torch.nn.Linear(3, 2).bfloat16(), "Linear computes in bfloat16"),
    ],
)
def test_a_module_that_does_not_fit_is_told_why(
    module: torch.nn.Module, says: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ExportError, match=says):
        from_torch(module, TASK)
    assert capfd.readouterr().out == ""
