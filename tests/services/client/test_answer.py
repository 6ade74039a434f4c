"""Answers as a client reads them."""

from typing import Any

import msgspec
import pytest
from ounce_schemas.prediction import NumberOutput, TextOutput
from ounce_services.client.answer import AnswerExplanation, _decode, read_answer

from tests.services.test_shadow_comparison import answer

WHOLE = [
    NumberOutput(name="explained_base", shape=[1], data=[0.5]),
    NumberOutput(name="contributions", shape=[1, 2], data=[2.0, -1.0]),
    TextOutput(name="explained_inputs", shape=[1, 2], data=["a", "b"]),
]


def explained(outputs: list[Any]) -> bytes:
    prediction = _decode(answer("1", "7", "v1")[1])
    prediction.parameters.explanation, prediction.parameters.explained = "exact", "log-odds"
    prediction.outputs += outputs
    return msgspec.json.encode(prediction)


def test_an_explanation_is_read_by_input() -> None:
    found = read_answer(explained(WHOLE)).explanation
    assert found == AnswerExplanation("exact", "log-odds", 0.5, {"a": 2.0, "b": -1.0})


@pytest.mark.parametrize("n", range(3))
def test_an_answer_without_a_part_of_its_explanation_is_none(n: int) -> None:
    with pytest.raises(ValueError, match="'1' lacks a part of its explanation"):
        read_answer(explained([part for i, part in enumerate(WHOLE) if i != n]))
