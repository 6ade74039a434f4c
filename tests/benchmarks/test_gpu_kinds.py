"""What TensorRT takes of each kind of model, of the kinds that are trained in a moment."""

from pathlib import Path

import pytest

from benchmarks.gpu_kinds import BUILT, try_kind, try_ladder
from benchmarks.made_items import KINDS
from tests.support.tensorrt.rtx import rtx_or_skip

NO_TEXTS = "TensorRT takes no texts: categories"
OF_ML = "TensorRT does not know the operators of ai.onnx.ml: "


@pytest.mark.rtx
@pytest.mark.parametrize(
    ("kind", "model", "engine", "form"),
    [
        ("numbers, classes", "mlp-small", BUILT, "fp16: built"),
        ("numbers and categories, classes", "mlp-small", NO_TEXTS, "fp16: built"),
        ("numbers, classes", "logistic-regression", f"{OF_ML}Imputer, Scaler", "tensors: built"),
        ("numbers, quantity", "decision-tree", f"{OF_ML}TreeEnsembleRegressor", "tensors: built"),
        ("numbers and categories, classes", "decision-tree", NO_TEXTS, "tensors: built"),
        ("sentences, classes", "hashed-linear", BUILT, "no forms"),
    ],
)
def test_an_engine_is_built_or_the_card_says_why_not(
    kind: str, model: str, engine: str, form: str
) -> None:
    [(of, name, found, forms, _)] = try_kind(rtx_or_skip(), kind, model)
    assert (of, name, found) == (kind, model, engine)
    assert form in forms


@pytest.mark.rtx
def test_models_of_a_ladder_are_tried_with_their_forms(digits_models: Path) -> None:
    rows = {name: row for _, name, *row in try_ladder(rtx_or_skip(), digits_models / "digits")}
    assert rows.keys() == {"decision-tree", "logistic-regression", "mlp"}
    assert rows["decision-tree"][1] == "tensors: built"
    engine, forms, explanation = rows["mlp"]
    assert (engine, explanation) == (BUILT, BUILT)
    assert forms.startswith("fp16: built; int8-dynamic: operator DynamicQuantizeLinear: TensorRT ")


def test_every_kind_has_items() -> None:
    for name, make in KINDS.items():
        assert len(make().train) > 50, name
