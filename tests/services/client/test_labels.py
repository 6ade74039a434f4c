"""Labels of programs name classes as tables do; what names none is refused at once."""

from typing import Any

import numpy as np
import pytest
from ounce_edge.wire.label_formats import decode_labels
from ounce_schemas.errors import InvalidMessageError
from ounce_services.client.labels import label_body


@pytest.mark.parametrize(
    ("label", "text"),
    [("busy", "busy"), (1, "1"), (1.0, "1"), (True, "true"), (np.float32(1), "1"),
     (np.int8(1), "1"), (np.bool_(True), "true"), (np.str_("busy"), "busy")],
)  # fmt: skip
def test_a_class_is_named_as_a_table_names_it(label: Any, text: str) -> None:
    [found] = decode_labels(label_body("a", label, None))
    assert (found.id, found.label) == ("a", text)


@pytest.mark.parametrize("label", ["", " ", float("nan"), np.float32("nan"), [1], b"busy"])
def test_what_names_no_class_is_refused(label: Any) -> None:
    with pytest.raises(InvalidMessageError, match="names no class: give a text or a number"):
        label_body("a", label, None)
