"""A table's network answers from its graph as in PyTorch, whatever columns it reads."""

import numpy as np
import onnxruntime as ort
import pytest
import torch
from ounce_exporters.training.neural import run
from ounce_exporters.training.tabular import Shape, TableNetwork, find_edges
from ounce_exporters.training.tabular_graph import write_network


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize(("n_numbers", "n_others"), [(4, 3), (4, 0), (0, 3)])
def test_the_graph_answers_as_the_network(n_numbers: int, n_others: int, n_outputs: int) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    x = rng.normal(size=(50, n_numbers + n_others)).astype(np.float32)
    edges = find_edges(x[:, :n_numbers], 5)
    network = TableNetwork(edges, n_others, n_outputs, Shape(members=3, width=8)).eval()
    model = write_network(network, centre=20.0, spread=5.0)
    session = ort.InferenceSession(model.SerializeToString())
    x[::5] *= 1e30
    (found,) = session.run(None, {"features": x})
    wanted = run(network, x) * 5.0 + 20.0 if n_outputs == 1 else run(network, x)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5 * np.abs(wanted).max())
