"""Contributions in networks add up, layer by layer, and are those of the rules."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.explaining.parts import parts_of
from ounce_exporters.explaining.rescale import rescale
from ounce_exporters.explaining.scores import ScoreMap
from ounce_exporters.export.calibration import Temperature
from ounce_exporters.tasks.bearing.networks import Cnn1d
from ounce_exporters.tasks.digits.networks import SmallCnn
from ounce_exporters.training.convolutions import residual_cnn
from ounce_exporters.training.neural import export, run
from ounce_exporters.training.sequences import SequenceCNN, Steps
from ounce_schemas.errors import ExportError
from ounce_schemas.task import TaskSpec, TensorSpec
from torch import Tensor, nn

Floats = NDArray[np.float32]


class Explained(NamedTuple):
    score: NDArray[np.float64]
    base: Floats
    contributions: Floats


def explain(network: nn.Module, items: Floats, usual: Floats, n_outputs: int) -> Explained:
    """What a network's graph says; each score is that of the answered label."""
    labels = tuple(f"label{i}" for i in range(n_outputs))
    tensor = TensorSpec(name="input", datatype="FP32", shape=items.shape[1:])
    task = TaskSpec(
        name="t", kind="classification", description="", inputs=(tensor,), labels=labels
    )
    graph = Temperature(1.0).attach(export(network, tensor), task)
    scores = ScoreMap("log-odds", np.eye(n_outputs), np.zeros(n_outputs))
    made, _ = rescale(graph, task, parts_of(task), {"input": usual[None]}, scores, {"input": items})
    found, answers = (
        OnnxCpuRuntime().load(Path("m.onnx"), each.SerializeToString()).run({"input": items})
        for each in (made, graph)
    )
    np.testing.assert_allclose(found[:, :n_outputs], answers, atol=1e-6)
    score = scores.of(run(network, items), answers)
    return Explained(score, found[:, n_outputs], found[:, n_outputs + 1 :])


class Mixed(nn.Module):
    """Layers of all kinds that the networks that ship have, and some that they do not."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv1d(2, 4, 5, stride=3, padding=1)
        self.second = nn.Conv1d(4, 3, 2)
        self.last = nn.Linear(14, 3)

    def forward(self, x: Tensor) -> Tensor:
        hidden = torch.tanh(self.first(x.transpose(1, 2) * 0.5))
        power = (hidden * hidden + 0.1).sqrt() / (1.0 + hidden.square().mean(dim=1, keepdim=True))
        more = torch.sigmoid(self.second(nn.functional.avg_pool1d(power, 2))) - 0.5
        pooled = torch.cat(
            [
                more.mean(dim=2),
                more.amax(dim=2),
                more[:, :, -1],
                x[:, 2:4].flatten(1),
                -x[:, 0, 1:],
            ],
            dim=1,
        )
        found: Tensor = self.last(pooled)
        return found


class Reshaped(nn.Module):
    def __init__(self, network: nn.Module, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.network, self.shape = network, shape

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.network(x.reshape(-1, *self.shape))
        return found


SERIES = np.random.default_rng(1).normal(size=(9, 12, 2)).astype(np.float32)
NETWORKS: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], int]] = {
    "mixed": (Mixed, (26, 2), 3),
    "small-cnn": (SmallCnn, (64,), 10),
    "cnn-1d": (Cnn1d, (1024,), 4),
    "sequence": (lambda: SequenceCNN(Steps(SERIES), 3), SERIES.shape[1:], 3),
    "residual": (
        lambda: Reshaped(residual_cnn((1, 11, 9), 3, channels=4, most_side=8), (1, 11, 9)),
        (99,),
        3,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_base_and_contributions_add_up_to_the_score(name: str) -> None:
    make, shape, n_outputs = NETWORKS[name]
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    items = rng.normal(size=(20, *shape)).astype(np.float32)
    usual = rng.normal(size=shape).astype(np.float32) * 0.1
    items[0] = usual  # of which all contributions are 0
    items[1, :2] = usual[:2]
    found = explain(make().eval(), items, usual, n_outputs)
    sums = found.base + found.contributions.sum(axis=1, dtype=np.float64)
    np.testing.assert_allclose(sums, found.score, atol=1e-5, rtol=1e-5)
    np.testing.assert_allclose(found.contributions[0], 0, atol=1e-6)
    assert np.abs(found.contributions[2:]).sum(axis=1).min() > 1e-3


def of(forward: Callable[[Tensor], Tensor], item: Any, usual: Any) -> list[float]:
    """Contributions to the first output of a function, beside which the second is 0."""

    class Network(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            first = forward(x)
            return torch.cat([first, first * 0.0 - 1.0], dim=1)

    items = np.array([item], np.float32)
    return explain(Network(), items, np.array(usual, np.float32), 2).contributions[0].tolist()


def test_a_line_gives_each_input_its_weight_by_its_change() -> None:
    weights = torch.tensor([[2.0], [-3.0], [0.5]])
    found = of(lambda x: x @ weights + 30.0, [1, 2, 3], [0, 1, 5])
    assert found == pytest.approx([2.0, -3.0, -1.0])


def test_a_stack_of_matrices_is_turned_one_by_one() -> None:
    weights = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]])
    found = of(
        lambda x: (x.reshape(-1, 2, 1, 2) @ weights)[:, :, 0, 0].sum(dim=1, keepdim=True) + 30.0,
        [1, 1, 1, 1],
        [0, 0, 0, 0],
    )
    assert found == pytest.approx([1.0, 3.0, 5.0, 7.0])


def test_a_unit_that_opens_passes_on_the_share_that_it_lets_through() -> None:
    """relu(x + y - 1): of a change of 3 from -1 on, 2 come through."""
    found = of(lambda x: torch.relu(x.sum(dim=1, keepdim=True) - 1.0), [2, 1], [0, 0])
    assert found == pytest.approx([4 / 3, 2 / 3])


def test_a_product_gives_each_factor_its_change_by_the_mean_of_the_other() -> None:
    found = of(lambda x: x[:, :1] * x[:, 1:], [3, 5], [1, 1])  # 15 instead of 1
    assert found == pytest.approx([2 * 3.0, 4 * 2.0])


def test_a_length_shares_its_change_by_the_squares() -> None:
    found = of(lambda x: torch.linalg.vector_norm(x, dim=1, keepdim=True), [3, 4], [0, 0])
    assert found == pytest.approx([9 / 5, 16 / 5])


def test_a_maximum_belongs_to_the_places_where_it_is_and_was() -> None:
    found = of(lambda x: x.amax(dim=1, keepdim=True), [3, 1, 2], [0, 2, 1])  # 3 instead of 2
    assert found == pytest.approx([1.5, -0.5, 0.0])


def test_what_no_rule_is_known_for_is_named() -> None:
    with pytest.raises(ExportError, match="no rule carries contributions through CumSum"):
        of(lambda x: x.cumsum(dim=1)[:, -1:], [1, 2], [0, 0])
