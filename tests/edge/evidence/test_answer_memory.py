"""Labels joined with the answers that they are about."""

from typing import Any

import msgspec
import numpy as np
import pytest
from ounce_edge.evidence.answer_memory import AnswerMemory
from ounce_schemas.label import Label, LabelOutcome

from tests.support.edge.ladders import DIGITS, NUMBERS


def columns(*names: str) -> list[list[bytes]]:
    """Ids in two columns, as those of bare records are."""
    ids = [msgspec.json.encode(name) for name in names]
    return [[i[:2] for i in ids], [i[2:] for i in ids]]


def outcomes(memory: AnswerMemory, *labels: Label) -> dict[str, int]:
    return {str(k): n for k, n in memory.join(labels).outcomes.items() if n}


def test_classes_are_held_against_the_answers_of_their_plan() -> None:
    memory = AnswerMemory(DIGITS)
    memory.remember(columns("a", "b", 'q"ß'), "light", np.array([0, 1, 2]))
    memory.remember(columns("c"), "heavy", np.array([1]))
    joined = memory.join(
        [
            Label('q"ß', label="zwölf"),
            Label("a", label="zwölf"),
            Label("c", label='o"ne'),
            Label("elsewhere", label="zero"),
        ]
    )
    assert joined.plans["light"].acceptable.tolist() == [True, False]
    assert joined.plans["light"].truth.tolist() == [2, 2]
    assert [(name, p.good, p.bad) for name, p in joined.plans.items()] == [
        ("light", 1, 1),
        ("heavy", 1, 0),
    ]
    assert joined.label_counts(3).tolist() == [0, 1, 2]
    assert joined.outcomes[LabelOutcome.JOINED] == 3
    assert joined.outcomes[LabelOutcome.UNKNOWN] == 1


def test_values_are_acceptable_within_the_tolerance() -> None:
    memory = AnswerMemory(NUMBERS)
    memory.remember(columns("a", "b", "c"), "tree", np.array([1.5, -2, 3], dtype=np.float32))
    joined = memory.join([Label("a", value=2.5), Label("b", value=-3.01), Label("c", value=3)])
    assert joined.plans["tree"].acceptable.tolist() == [True, False, True]
    assert joined.plans["tree"].truth.tolist() == [2.5, -3.01, 3.0]


def test_the_first_label_counts() -> None:
    memory = AnswerMemory(DIGITS)
    memory.remember(columns("a", "b"), "light", np.array([0, 1]))
    first = memory.join([Label("a", label="zero"), Label("a", label='o"ne')])
    assert (first.plans["light"].good, first.plans["light"].bad) == (1, 0)
    assert first.outcomes[LabelOutcome.REPEATED] == 1
    assert outcomes(memory, Label("a", label="zero")) == {"repeated": 1}
    # The answer was given once more, as after a restart; its label is known all the same.
    memory.remember(columns("a", "b"), "heavy", np.array([1, 2]))
    again = memory.join([Label("a", label="zero"), Label("b", label="zwölf")])
    assert list(again.plans) == ["heavy"]
    assert (again.plans["heavy"].good, again.outcomes[LabelOutcome.REPEATED]) == (1, 1)


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
    memory.remember(columns("a"), "light", np.array([0]))
    assert outcomes(memory, label) == {"invalid": 1}
    good = Label("a", label="zero") if task is DIGITS else Label("a", value=0.5)
    assert outcomes(memory, good) == {"joined": 1}


def test_the_oldest_answers_are_forgotten() -> None:
    memory = AnswerMemory(DIGITS, capacity=1000)
    for i in range(0, 50_000, 10):
        memory.remember(columns(*(f"{n}" for n in range(i, i + 10))), "light", np.zeros(10, int))
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
        memory.remember(columns(f"{i}"), "light", np.zeros(1, int))
    assert memory.join([]).outcomes == {}
    assert memory.join([]).label_counts(3).tolist() == [0, 0, 0]
    assert not any(block.index for block in memory._blocks)
