"""Graphs that change the case of texts load on images without the locale `en_US.UTF-8`."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from ounce_exporters.own.answers import Session
from ounce_exporters.own.letter_case import with_common_locale
from ounce_schemas.errors import ExportError


def lowering(locale: str | None) -> onnx.ModelProto:
    """`y = lower(x)` of texts."""
    said = {} if locale is None else {"locale": locale}
    node = helper.make_node("StringNormalizer", ["x"], ["y"], case_change_action="LOWER", **said)
    texts = [helper.make_tensor_value_info(name, TensorProto.STRING, ["n"]) for name in "xy"]
    graph = helper.make_graph([node], "lower", texts[:1], texts[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("locale", [None, "", "en_US.UTF-8"])
def test_english_rules_need_no_locale_of_the_machine(locale: str | None) -> None:
    session = Session(with_common_locale(lowering(locale)))
    found = session.run({"x": np.array(["École ÄÖ Straße ДА"], object)}, 1)
    assert found["y"].tolist() == ["école äö straße да"]


def test_graphs_inside_an_operator_change_case_by_the_same_rules() -> None:
    branch = helper.make_graph(
        [helper.make_node("StringNormalizer", ["x"], ["z"], case_change_action="LOWER")],
        "branch",
        [],
        [helper.make_tensor_value_info("z", TensorProto.STRING, ["n"])],
    )
    model = lowering(None)
    model.graph.initializer.append(helper.make_tensor("yes", TensorProto.BOOL, [], [True]))
    chosen = helper.make_node("If", ["yes"], ["y"], then_branch=branch, else_branch=branch)
    model.graph.node[0].CopyFrom(chosen)
    found = Session(with_common_locale(model)).run({"x": np.array(["ÄÖ"], object)}, 1)
    assert found["y"].tolist() == ["äö"]


def test_rules_of_another_language_stay_and_are_refused_where_they_are_absent() -> None:
    graph = with_common_locale(lowering("xx_XX.UTF-8"))
    with pytest.raises(ExportError, match=r"locale with name:xx_XX.UTF-8"):
        Session(graph)
