"""A torch module that can't join is told why."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from ounce_exporters.ladder.recipe import Split
from ounce_exporters.own.answers import Session
from ounce_exporters.own.torch_modules import from_torch
from ounce_exporters.own.wrapping import Outputs, wrap
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


class Fixed(torch.nn.Module):
    """Takes one number of items."""

    def __init__(self, items: int) -> None:
        super().__init__()
        self.items = items

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.view(self.items, 3)[:, :2] * 2


class Squeezed(torch.nn.Module):
    """Loses the batch of one item."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :2].sigmoid().squeeze()


@pytest.mark.parametrize(
    ("module", "says"),
    [
        (Fixed(2), "tried with n = 3: shape .* of any number of items"),
        (Fixed(3), "PyTorch can't export this Fixed"),
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


@pytest.mark.filterwarnings("ignore:`torch.jit:FutureWarning")
def test_a_module_of_torchscript_is_refused() -> None:
    module = torch.jit.trace(torch.nn.Linear(3, 2), torch.zeros(2, 3))
    with pytest.raises(ExportError, match=r"TorchScript .*: add the module it was made of"):
        from_torch(module, TASK)


def test_an_answer_that_loses_its_batch_is_told_how_to_keep_it() -> None:
    rows = torch.randn(20, 3, generator=torch.Generator().manual_seed(0)).numpy()
    truth = rows[:, :2].argmax(axis=1)
    with pytest.raises(ExportError, match=r"where one item comes alone .* squeeze\(-1\)"):
        wrap(from_torch(Squeezed(), TASK), TASK, Split({"input": rows}, truth), Outputs())


@pytest.mark.parametrize(
    "make",
    [lambda inner: torch.compile(inner), lambda inner: inner.double()],
    ids=["compiled", "64"],
)
def test_a_module_in_another_form_joins(make: Callable[[torch.nn.Module], torch.nn.Module]) -> None:
    module = make(torch.nn.Linear(3, 2))
    rows = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    wanted = torch.nn.functional.linear(rows, *(w.detach().float() for w in module.parameters()))
    truth = wanted.argmax(dim=1).numpy()
    foreign = from_torch(module, TASK)
    own, _ = wrap(foreign, TASK, Split({"input": rows.numpy()}, truth), Outputs())
    np.testing.assert_allclose(own.predict({"input": rows.numpy()}), wanted, atol=1e-5)
    (found,) = Session(own.to_onnx()).run({"input": rows.numpy()}, 20).values()
    np.testing.assert_allclose(found, wanted, atol=1e-5)
