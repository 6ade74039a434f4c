"""A model that answers its card's canaries otherwise does not serve."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ounce_edge.models.canaries import answer_limit, check_canaries
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_schemas.card import Canaries
from ounce_schemas.errors import ArtifactError

from tests.support.edge.ladders import DIGITS, NUMBERS, write_ladder
from tests.support.edge.pipelines import second_label

ITEM = (1.0, 2.0, 3.0, 4.0)


def canaries(*answers: tuple[float, ...], **inputs: Any) -> Canaries:
    return Canaries(inputs=inputs or {"input": ITEM * len(answers)}, answers=answers)


def test_the_same_answers_pass_and_rounding_does_not_matter() -> None:
    model = FakeModel(DIGITS, second_label)
    check_canaries(model, DIGITS, canaries((0.1, 0.7, 0.2), (0.1004, 0.6996, 0.2)))
    assert model.batch_sizes == [2]


@pytest.mark.parametrize(
    ("own", "text"),
    [
        (canaries((0.1, 0.7, 0.2), (0.7, 0.1, 0.2)), r"answers 1 of 2 canaries otherwise"),
        (canaries((0.3, 0.7)), "are not of the task"),
        (canaries((0.1, 0.7, 0.2), other=ITEM), "are not of the task"),
        (canaries((0.1, 0.7, 0.2), input=ITEM[:3]), "have 3 values of 'input'"),
        (canaries((0.1, 0.7, 0.2), input=(1.0, 2.0, 3.0, "x")), "other values than 'input' takes"),
    ],
)
def test_other_answers_and_canaries_of_another_task_are_refused(own: Canaries, text: str) -> None:
    with pytest.raises(ArtifactError, match=text):
        check_canaries(FakeModel(DIGITS, second_label), DIGITS, own)


def test_missing_values_and_texts_reach_the_model() -> None:
    seen: list[Any] = []

    def answer(inputs: Any) -> Any:
        seen.append(inputs)
        return np.array([[1.0, 0.0, 2.0]], np.float32)

    own = canaries((1.04, 0.0, 2.0), input=(None, 2.0), categories=(None,))
    check_canaries(FakeModel(NUMBERS, answer), NUMBERS, own)
    assert np.isnan(seen[0]["input"][0, 0])
    assert seen[0]["categories"].tolist() == [[""]]
    with pytest.raises(ArtifactError, match="otherwise"):
        check_canaries(
            FakeModel(NUMBERS, answer),
            NUMBERS,
            canaries((1.06, 0.0, 2.0), input=(None, 2.0), categories=("red",)),
        )


def test_a_ladder_refuses_the_model_by_name(tmp_path: Path) -> None:
    folder = write_ladder(tmp_path, DIGITS, "a", "b")
    path = folder / "a" / "card.json"
    own = canaries((0.0, 0.0, 1.0)).model_dump()
    path.write_text(json.dumps(json.loads(path.read_text()) | {"canaries": own}))
    fakes = {"a": FakeModel(DIGITS), "b": FakeModel(DIGITS)}
    ladder = load_ladder(tmp_path, "digits", FakeRuntime(fakes))
    assert [m.card.model for m in ladder.models] == ["b"]
    assert "a: " in ladder.refused[0]
    assert "answers 1 of 1 canaries otherwise than when it was made" in ladder.refused[0]


@pytest.mark.parametrize(("tolerance", "passes"), [(20.0, True), (0.05, False)])
def test_a_value_may_differ_by_a_share_of_what_is_tolerated(tolerance: float, passes: bool) -> None:
    task = NUMBERS.model_copy(update={"tolerance": tolerance})
    assert answer_limit(task) == pytest.approx(tolerance * answer_limit(NUMBERS))
    answer = (2.0 * answer_limit(NUMBERS),) * task.output.size
    own = canaries(answer, input=(1.0, 2.0), categories=("a",))
    model = FakeModel(task)  # answers 0
    if passes:
        check_canaries(model, task, own)
    else:
        with pytest.raises(ArtifactError, match="answers 1 of 1 canaries otherwise"):
            check_canaries(model, task, own)
