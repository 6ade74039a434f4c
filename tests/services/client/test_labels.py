"""Labels of programs name classes as tables do; what names none is refused at once."""

from typing import Any

import numpy as np
import pytest
from ounce_edge.wire.label_formats import decode_labels
from ounce_schemas.errors import InvalidMessageError
from ounce_services.client.labels import label_body

HUGE = 10**5000
"""A number whose digits pytest can't write either."""


@pytest.mark.parametrize(
    ("label", "text"),
    [("busy", "busy"), (1, "1"), (1.0, "1"), (True, "true"), (np.float32(1), "1"),
     (np.int8(1), "1"), (np.bool_(True), "true"), (np.str_("busy"), "busy")],
)  # fmt: skip
def test_a_class_is_named_as_a_table_names_it(label: Any, text: str) -> None:
    [found] = decode_labels(label_body("a", label, None))
    assert (found.id, found.label) == ("a", text)


@pytest.mark.parametrize(
    "label", ["", " ", float("nan"), np.float32("nan"), [1], b"busy", pytest.param(HUGE, id="huge")]
)
def test_what_names_no_class_is_refused(label: Any) -> None:
    with pytest.raises(InvalidMessageError, match="names no class: give a text or a number"):
        label_body("a", label, None)


def test_a_value_is_the_number_that_python_or_numpy_holds() -> None:
    for value in (3, 3.0, np.float32(3), np.int8(3), np.array(3.0)):
        [found] = decode_labels(label_body("a", None, value))
        assert (found.label, found.value) == (None, 3.0)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("3", "'3'"),
        (10**400, "1000"),
        pytest.param(HUGE, "a number of thousands of digits", id="huge"),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        ([3.0], "[3.0]"),
        (np.array([3.0]), "array([3.])"),
        (b"3", "b'3'"),
        (3 + 0j, "(3+0j)"),
    ],
)
def test_what_is_no_number_is_named(value: Any, shown: str) -> None:
    with pytest.raises(InvalidMessageError, match="is no finite number: give one") as refused:
        label_body("a", None, value)
    assert f"the value {shown}" in refused.value.text


@pytest.mark.parametrize("id_", ["", None, 3, b"a", ["a"]])
def test_an_id_is_a_text(id_: Any) -> None:
    with pytest.raises(InvalidMessageError, match=r"give that of the answer, `Answer\.id`"):
        label_body(id_, "busy", None)


def test_half_a_character_is_named() -> None:
    with pytest.raises(InvalidMessageError, match="UTF-8"):
        label_body("a", "\ud800", None)
