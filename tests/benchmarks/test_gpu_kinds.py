"""What TensorRT takes of each kind of model, of the kinds that are trained in a moment."""

import pytest

from benchmarks.gpu_kinds import BUILT, KINDS, try_kind
from tests.support.tensorrt.rtx import rtx_or_skip

NO_TEXTS = "TensorRT takes no texts: categories"
OF_ML = "TensorRT does not know the operators of ai.onnx.ml: "


@pytest.mark.rtx
@pytest.mark.parametrize(
    ("kind", "model", "engine", "form"),
    [
        ("numbers, classes", "mlp-small", BUILT, "fp16: built"),
        ("numbers, classes", "logistic-regression", f"{OF_ML}Imputer, Scaler", "tensors: built"),
        ("numbers, quantity", "decision-tree", f"{OF_ML}TreeEnsembleRegressor", "tensors: built"),
        ("numbers and categories, classes", "decision-tree", NO_TEXTS, "has no standard form"),
        ("sentences, classes", "hashed-linear", BUILT, "no forms"),
    ],
)
def test_an_engine_is_built_or_the_card_says_why_not(
    kind: str, model: str, engine: str, form: str
) -> None:
    [(of, name, found, forms, _)] = try_kind(rtx_or_skip(), kind, model)
    assert (of, name, found) == (kind, model, engine)
    assert form in forms


def test_every_kind_has_items() -> None:
    for name, make in KINDS.items():
        assert len(make().train) > 50, name
