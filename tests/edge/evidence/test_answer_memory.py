"""Labels joined with the answers that they are about."""

import tracemalloc
from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.evidence.answer_block import AnswerGroup
from ounce_edge.evidence.answer_memory import AnswerMemory
from ounce_schemas.label import KEY_ERRORS, Label, LabelOutcome

from tests.support.edge.ladders import DIGITS, NUMBERS


def columns(*names: str) -> list[list[bytes]]:
    """Ids in two columns, as those of bare records are."""
    ids = [msgspec.json.encode(name) for name in names]
    return [[i[:2] for i in ids], [i[2:] for i in ids]]


def given(
    names: list[list[bytes]], plan: str, predicted: Any, *, of: str | None = None, key: bytes = b""
) -> AnswerGroup:
    """A group of answers: of bare records, or of one source's, or of records with a key."""
    n = len(predicted)
    if of is None and not key:
        return AnswerGroup(names, None, None, plan, predicted)
    ids = [[b"".join(parts) for parts in zip(*names, strict=True)]]
    origin = b"s" + of.encode() if of else b"k" + key
    return AnswerGroup(ids, [origin] * n, [key] * n, plan, predicted)


def outcomes(memory: AnswerMemory, *labels: Label) -> dict[str, int]:
    return {str(k): n for k, n in memory.join(labels).outcomes.items() if n}


def test_classes_are_held_against_the_answers_of_their_plan() -> None:
    memory = AnswerMemory(DIGITS)
    memory.remember(given(columns("a", "b", 'q"ß'), "light", np.array([0, 1, 2])))
    memory.remember(given(columns("c"), "heavy", np.array([1])))
    joined = memory.join(
        [
            Label('q"ß', label="zwölf"),
            Label("a", label="zwölf"),
            Label("c", label='o"ne'),
            Label("elsewhere", label="zero"),
        ]
    )
    assert joined.plans["light"].acceptable.tolist() == [True, False]
    assert [(name, *p.counts()) for name, p in joined.plans.items()] == [
        ("light", (0, 1, 1)),
        ("heavy", (0, 1, 0)),
    ]
    assert joined.outcomes[LabelOutcome.JOINED] == 3
    assert joined.outcomes[LabelOutcome.UNKNOWN] == 1


def test_values_are_acceptable_within_the_tolerance() -> None:
    memory = AnswerMemory(NUMBERS)
    memory.remember(given(columns("a", "b", "c"), "tree", np.array([1.5, -2, 3], dtype=np.float32)))
    joined = memory.join([Label("a", value=2.5), Label("b", value=-3.01), Label("c", value=3)])
    assert joined.plans["tree"].acceptable.tolist() == [True, False, True]


def test_the_first_label_counts() -> None:
    memory = AnswerMemory(DIGITS)
    memory.remember(given(columns("a", "b"), "light", np.array([0, 1])))
    first = memory.join([Label("a", label="zero"), Label("a", label='o"ne')])
    assert list(first.plans["light"].counts()) == [(0, 1, 0)]
    assert first.outcomes[LabelOutcome.REPEATED] == 1
    assert outcomes(memory, Label("a", label="zero")) == {"repeated": 1}
    # The answer was given once more, as after a restart; its label is known all the same.
    memory.remember(given(columns("a", "b"), "heavy", np.array([1, 2])))
    again = memory.join([Label("a", label="zero"), Label("b", label="zwölf")])
    assert list(again.plans) == ["heavy"]
    assert (*again.plans["heavy"].counts(), again.outcomes[LabelOutcome.REPEATED]) == ((0, 1, 0), 1)


@pytest.mark.parametrize(
    ("task", "label"),
    [
        (DIGITS, Label("a", label="three")),
        (DIGITS, Label("a", label="")),
        (DIGITS, Label("a")),
        (DIGITS, Label("a", value=1.0)),
        (DIGITS, Label("a", label="zero", value=0.0)),
        (DIGITS, Label(label="zero")),
        (NUMBERS, Label("a")),
        (NUMBERS, Label("a", label="1")),
        (NUMBERS, Label("a", label="1", value=1.0)),
        (NUMBERS, Label("a", value=float("nan"))),
        (NUMBERS, Label("a", value=float("inf"))),
    ],
)
def test_what_is_no_truth_of_the_task_leaves_room_for_one(task: Any, label: Label) -> None:
    memory = AnswerMemory(task)
    memory.remember(given(columns("a"), "light", np.array([0])))
    assert outcomes(memory, label) == {"invalid": 1}
    good = Label("a", label="zero") if task is DIGITS else Label("a", value=0.5)
    assert outcomes(memory, good) == {"joined": 1}


def test_the_oldest_answers_are_forgotten() -> None:
    memory = AnswerMemory(DIGITS, capacity=1000)
    for i in range(0, 50_000, 10):
        names = columns(*(f"{n}" for n in range(i, i + 10)))
        memory.remember(given(names, "light", np.zeros(10, int)))
        assert len(memory) <= 1000 + 1280
        if i % 7000 == 0:
            assert outcomes(memory, Label(f"{i}", label="zero")) == {"joined": 1}
    assert outcomes(
        memory,
        Label("0", label="zero"),  # had its label long ago, and is forgotten with it
        Label("48000", label="zero"),
        Label("49300", label="zero"),
        Label("49999", label="zero"),
    ) == {"unknown": 2, "joined": 2}
    assert sum(len(block.ids) for block in memory._blocks) <= 1000


def test_no_labels_cost_no_index() -> None:
    memory = AnswerMemory(DIGITS, capacity=1000)
    for i in range(3000):
        memory.remember(given(columns(f"{i}"), "light", np.zeros(1, int)))
    assert memory.join([]).outcomes == {}
    assert not any(block.latest for block in memory._blocks)


def test_two_senders_may_use_the_same_id() -> None:
    memory = AnswerMemory(DIGITS)
    memory.remember(given(columns("1"), "light", np.array([0]), of="/d/1", key=b"k1"))
    memory.remember(given(columns("1"), "heavy", np.array([1]), of="/d/2", key=b"k2"))
    joined = memory.join([Label("1", label="zero", source="/d/1")])
    assert [(name, *p.counts()) for name, p in joined.plans.items()] == [("light", (0, 1, 0))]
    joined = memory.join([Label("1", label="zero", device="k2")])
    assert [(name, *p.counts()) for name, p in joined.plans.items()] == [("heavy", (0, 0, 1))]
    for again in (Label("1", label="zero", source="/d/1"), Label("1", label="zero", device="k1")):
        assert outcomes(memory, again) == {"repeated": 1}
    assert outcomes(memory, Label("1", label="zero")) == {"ambiguous": 1}
    assert outcomes(memory, Label("1", label="zero", source="/d/3")) == {"mismatched": 1}
    assert outcomes(memory, Label("1", label="zero", device="k3")) == {"mismatched": 1}


def test_without_a_source_the_key_tells_senders_apart() -> None:
    memory = AnswerMemory(DIGITS)
    memory.remember(given(columns("1"), "light", np.array([0]), key=b"k1"))
    assert outcomes(memory, Label("1", label="zero", device="k2")) == {"mismatched": 1}
    memory.remember(given(columns("1"), "heavy", np.array([1]), key=b"\xff"))
    other = Label("1", label="zero", device=b"\xff".decode(errors=KEY_ERRORS))
    assert list(memory.join([other]).plans) == ["heavy"]
    assert outcomes(memory, Label("1", label="zero")) == {"ambiguous": 1}


def test_a_label_that_names_no_sender_joins_where_one_alone_has_used_the_id() -> None:
    memory = AnswerMemory(DIGITS, capacity=80)
    memory.remember(given(columns("1"), "light", np.array([0]), of="/d/1", key=b"k1"))
    for i in range(2, 14):  # in another block
        memory.remember(given(columns(f"{i}"), "light", np.array([0]), of="/d/1", key=b"k1"))
    assert outcomes(memory, Label("1", label="zero")) == {"joined": 1}
    memory.remember(given(columns("2"), "light", np.array([0]), of="/d/2", key=b"k2"))
    assert outcomes(memory, Label("2", label="zero")) == {"ambiguous": 1}


def test_a_position_is_an_id_of_one_request_whoever_says_so() -> None:
    memory = AnswerMemory(DIGITS)
    memory.remember(given(columns("t-0-7", "t-0-8"), "light", np.array([0, 0])))
    label = Label("t-0-7", label="zero", source="/labels", device="any")
    assert outcomes(memory, label) == {"joined": 1}


def test_an_id_that_everybody_uses_costs_little_time() -> None:
    memory = AnswerMemory(DIGITS)
    origins = [b"s/d/%d" % i for i in range(8000)]
    group = AnswerGroup([[b'"x"'] * 8000], origins, [b""] * 8000, "light", np.zeros(8000, int))
    memory.remember(group)
    assert outcomes(memory, Label("x", label="zero")) == {"ambiguous": 1}
    assert outcomes(memory, Label("x", label="zero", source="/d/7999")) == {"joined": 1}


def test_long_names_are_joined_and_take_no_more_memory_than_short_ones() -> None:
    memory, n, length = AnswerMemory(DIGITS), 2000, 4000
    tracemalloc.start()
    for start in range(0, n, 10):
        names = columns(*(f"{i:0{length}}" for i in range(start, start + 10)))
        group = given(names, "light", np.zeros(10, int), of="s" * 900_000, key=b"k" * 9999)
        memory.remember(group)
        del group, names
    held_bytes = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held_bytes < 400 * n
    label = Label(f"{1999:0{length}}", label="zero", source="s" * 900_000)
    assert outcomes(memory, label) == {"joined": 1}
    assert outcomes(memory, Label("0", label="zero")) == {"unknown": 1}
