"""Contributions of bytes become those of words."""

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.models.catalogue import ServedModel, explained_card
from ounce_edge.models.runtimes.fake import FakeModel
from ounce_edge.models.runtimes.text_bytes import encode_texts
from ounce_edge.wire.answers.explained import MOST_WORDS, OTHER_WORDS, by_word
from ounce_schemas.explanation import ExplainedText
from ounce_schemas.task import TaskSpec, TensorSpec

from tests.support.edge.ladders import FakeRecord, card, explained
from tests.support.edge.pipelines import pipeline, process

N_BYTES = 32
TASK = TaskSpec(
    name="digits",
    kind="classification",
    description="",
    inputs=(TensorSpec(name="text", datatype="BYTES", shape=(1,), text_bytes=N_BYTES),),
    labels=("no", "yes"),
)


def ones(text: str, n_bytes: int = N_BYTES) -> dict[str, float]:
    """Each byte contributes 1: words have their lengths, and blanks before them."""
    return by_word(text, np.ones(n_bytes, np.float32))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("win a prize", {"win": 3, "a": 2, "prize": 27}),
        ("  win  it ", {"win": 3, "it": 29}),
        ("no no  no", {"no": 32}),
        ("größer ok", {"größer": 8, "ok": 24}),
        ("x" * 50, {"x" * 24: 24, "x" * 8: 8}),
        ("", {OTHER_WORDS: 32}),
        ("\ud800 a", {"?": 1, "a": 31}),
    ],
)
def test_words_hold_what_their_bytes_contribute(text: str, words: dict[str, float]) -> None:
    assert ones(text) == words


def test_a_character_that_is_cut_off_counts_with_the_last_word() -> None:
    assert ones("ab ü", 4) == {"ab": 4}


def test_the_words_that_contribute_little_count_as_one() -> None:
    text = " ".join(f"w{i:02d}" for i in range(20))
    sizes = np.repeat(np.arange(20.0), 4)[1:]
    found = by_word(text, sizes)
    assert list(found) == [*(f"w{i:02d}" for i in range(4, 20)), OTHER_WORDS]
    assert len(found) == MOST_WORDS + 1
    assert sum(found.values()) == pytest.approx(sizes.sum())


def model() -> ServedModel:
    """Each byte contributes its own value, over a base of 0.5."""

    def explains(inputs: Any) -> Any:
        of_bytes = encode_texts(inputs["text"], N_BYTES)[:, 0].astype(np.float32)
        return np.hstack([np.tile(np.float32([1, 0, 0.5]), (len(of_bytes), 1)), of_bytes])

    numbers = TASK.model_copy(
        update={"inputs": (TensorSpec(name="x", datatype="FP32", shape=(1,)),)}
    )
    own = explained(numbers, "a").card.explanation
    assert own is not None
    texts = {"text": ExplainedText(tensor="text", place=0, size_bytes=N_BYTES)}
    own = own.model_copy(update={"inputs": ("text",), "texts": texts})
    whole = card(TASK, "a").model_copy(update={"explanation": own})
    twin = explained_card(whole)
    assert twin is not None
    assert own.width == N_BYTES
    graph = ServedModel(twin, FakeModel(TASK, explains), 0)
    return replace(ServedModel(whole, FakeModel(TASK), 0), explained=graph)


def answer(data: list[str], *headers: tuple[str, bytes]) -> Any:
    tensor = {"name": "text", "shape": [len(data), 1], "datatype": "BYTES", "data": data}
    body = {"inputs": [tensor], "parameters": {"explanation": True}}
    record = FakeRecord(msgspec.json.encode(body), list(headers))
    published, _ = process(pipeline(model(), task=TASK), record)
    (found,) = published
    return msgspec.json.decode(found[1])


def outputs(found: Any) -> dict[str, Any]:
    return {output["name"]: output for output in found["outputs"]}


def test_an_answer_holds_words() -> None:
    found = outputs(answer(["ab c"]))
    assert found["explained_inputs"]["data"] == ["ab", "c"]
    assert found["contributions"]["shape"] == [1, 2]
    assert found["contributions"]["data"] == [97 + 98, 32 + 99]
    flat = answer(["ab c"], ("ounce-answer", b"flat"))
    assert flat["explanation"]["contributions"] == {"ab": 195, "c": 131}


def test_rows_of_fewer_words_get_empty_names() -> None:
    found = outputs(answer(["ab c", "", "c"]))
    assert found["explained_inputs"]["shape"] == [3, 2]
    assert found["explained_inputs"]["data"] == ["ab", "c", "", "", "c", ""]
    assert found["contributions"]["data"] == [195, 131, 0, 0, 99, 0]
