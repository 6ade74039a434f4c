"""A card says why a model can't go on a GPU, as far as that is known where it is made."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.building import build_engine
from ounce_exporters.export import gpu_suitability
from ounce_exporters.export.cards import render_page
from ounce_exporters.export.example import ExampleRequest
from ounce_exporters.export.gpu_suitability import why_not_on_gpu
from ounce_exporters.export.standard import ML
from ounce_exporters.lighter.forms import Form, convert
from ounce_exporters.training.byte_networks import Beside, ByteCNN, ByteModel, HashedMLP
from ounce_exporters.training.byte_ngrams import N_FEATURES
from ounce_exporters.training.hashed_linear import HashedLinear
from ounce_schemas.card import Calibration
from ounce_schemas.errors import RuntimeAbsentError
from ounce_schemas.task import TensorSpec

from tests.exporters.export.test_standard import ml_model
from tests.exporters.lighter.test_forms import pixels
from tests.support.edge.ladders import DIGITS, card
from tests.support.networks import convolutional
from tests.support.tensorrt.native import unknown_operators
from tests.support.tensorrt.rtx import rtx_or_skip


def texts() -> onnx.ModelProto:
    of_text = helper.make_tensor_value_info("text", TensorProto.STRING, ["batch", 1])
    as_text = helper.make_tensor_value_info("same", TensorProto.STRING, ["batch", 1])
    node = helper.make_node("Identity", ["text"], ["same"])
    return helper.make_model(helper.make_graph([node], "texts", [of_text], [as_text]))


@pytest.fixture
def no_rtx(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(flavour: Any) -> Any:
        raise RuntimeAbsentError(f"{flavour}: absent")

    monkeypatch.setattr(gpu_suitability, "find_tensorrt", absent)


@pytest.mark.usefixtures("no_rtx")
def test_operators_and_texts_are_known_without_a_parser() -> None:
    scaler = ml_model("Scaler", offset=[0.0], scale=[1.0])
    assert why_not_on_gpu(scaler) == "TensorRT does not know the operators of ai.onnx.ml: Scaler"
    assert why_not_on_gpu(texts()) == "TensorRT takes no texts: text"
    encoded = texts()
    encoded.graph.node.append(helper.make_node("OneHotEncoder", ["same"], ["y"], domain=ML))
    assert why_not_on_gpu(encoded) == "TensorRT takes no texts: text"  # no other form would help
    assert why_not_on_gpu(convert(convolutional(), Form.INT8, pixels())) is None


@pytest.mark.rtx
def test_the_parser_is_asked_where_it_is_there() -> None:
    rtx_or_skip()
    assert why_not_on_gpu(convolutional()) is None
    assert why_not_on_gpu(convert(convolutional(), Form.INT8_SYMMETRIC, pixels())) is None
    reason = why_not_on_gpu(convert(convolutional(), Form.INT8, pixels()))
    assert reason is not None
    assert "can't parse it: operator QuantizeLinear" in reason


N_BYTES = 48
SENTENCE = TensorSpec(name="message", datatype="BYTES", shape=(1,), text_bytes=N_BYTES)
TICKETS = DIGITS.model_copy(update={"inputs": (SENTENCE,)})


def hashed_linear(n_outputs: int) -> onnx.ModelProto:
    table, beside, bias = (np.zeros((n, n_outputs), "f4") for n in (N_FEATURES, 0, 1))
    return HashedLinear(TICKETS, None, table, beside, bias[0]).to_onnx()


def byte_network(kind: type[HashedMLP] | type[ByteCNN]) -> onnx.ModelProto:
    network = kind(3, Beside(N_BYTES, 0)).eval()
    return ByteModel(network, TICKETS, None, N_BYTES).to_onnx()


@pytest.mark.rtx
@pytest.mark.parametrize(
    "make",
    [
        partial(byte_network, HashedMLP),
        partial(byte_network, ByteCNN),
        partial(hashed_linear, 2),
        partial(hashed_linear, 3),
    ],
)
def test_what_reads_the_bytes_of_texts_is_built(make: Callable[[], onnx.ModelProto]) -> None:
    graph = make()
    assert build_engine(rtx_or_skip(), graph.SerializeToString(), BatchProfile(8, 64))
    assert unknown_operators(graph) == set()
    [first] = [node for node in graph.graph.node if SENTENCE.name in node.input]
    assert (first.op_type, first.attribute[0].i) == ("Cast", TensorProto.FLOAT)


def test_the_page_of_a_card_says_it() -> None:
    example = ExampleRequest("t", "{}", "{}", (), None)
    fitted = Calibration(method="temperature", n=9, temperature=1.0, ece_before=0.1, ece_after=0.0)
    plain = card(DIGITS, "a").model_copy(update={"calibration": fitted})
    assert "## GPU" not in render_page(plain, DIGITS, example)
    told = plain.model_copy(update={"not_on_gpu": "it has trees"})
    assert "## GPU\n\nOn the CPU alone: it has trees.\n" in render_page(told, DIGITS, example)
