"""Rows that no model has seen judge a whole ladder."""

from pathlib import Path

import numpy as np
import pytest
from ounce_exporters.api import Outputs, add_model, read_ladder
from ounce_exporters.own.splits import read_judges
from ounce_schemas.documents import read_card
from ounce_schemas.errors import ArtifactError, DataError

from tests.exporters.own.foreign import linear, rooms

LABELS = Outputs(labels=("no", "maybe", "yes"))


def test_fresh_rows_judge_every_model(models: Path, tmp_path: Path) -> None:
    before = {card.model: card for card in read_ladder("rooms", models=models).cards}
    table = rooms(300, seed=5)
    table.loc[:9, "busy"] = "never"
    table.to_csv(tmp_path / "later.csv", index=False)
    path = linear(tmp_path / "hand.onnx")
    data = (tmp_path / "later.csv", "busy")
    ladder = add_model(path, "rooms", models=models, data=data, outputs=LABELS)
    assert "10 rows are left out: their 'busy' is no answer of the task" in ladder.notes
    assert {card.validation_accuracy.n for card in ladder.cards} == {145}
    assert {card.training.sha256 for card in ladder.cards} == {
        read_judges(ladder.folder).data.sha256
    }
    for name, card in before.items():
        after = read_card(ladder.folder / name / "card.json")
        assert after.sha256 == card.sha256
        assert after.test_accuracy != card.test_accuracy
        assert after.training.n_train == card.training.n_train
    singles = {plan.name for plan in ladder.plans if not plan.is_cascade}
    assert singles == {"hand", *before}
    with np.load(ladder.folder / "test-split.npz") as test:
        assert len(test["targets"]) == 145


def test_the_table_that_a_ladder_was_trained_from_does_not_judge_it(
    own_ladders: Path, models: Path, tmp_path: Path
) -> None:
    before = {card.model: card for card in read_ladder("rooms", models=models).cards}
    data = (own_ladders / "rooms.csv", "busy")
    path = linear(tmp_path / "hand.onnx")
    ladder = add_model(path, "rooms", models=models, data=data, outputs=LABELS)
    assert "rooms.csv holds the ladder's own items: its own splits judge" in ladder.notes
    for card in ladder.cards:
        assert card.model == "hand" or card == before[card.model]


def test_what_can_not_judge_is_refused(models: Path, tmp_path: Path) -> None:
    path = linear(tmp_path / "hand.onnx")
    small = tmp_path / "small.csv"
    rooms(30, seed=5).to_csv(small, index=False)
    with pytest.raises(DataError, match="30 rows that can judge: at least 40 are needed"):
        add_model(path, "rooms", models=models, data=(small, "busy"))
    rooms(50, seed=5).drop(columns="wet").to_csv(small, index=False)
    with pytest.raises(DataError, match="lacks the columns 'wet'"):
        add_model(path, "rooms", models=models, data=(small, "busy"))
    with pytest.raises(DataError, match="there is no column 'bussy'"):
        add_model(path, "rooms", models=models, data=(small, "bussy"))
    with pytest.raises(DataError, match="holds no ladder: train one, or give --data"):
        add_model(path, "attic", models=models)
    (models / "rooms" / "validation-split.npz").unlink()
    with pytest.raises(ArtifactError, match=r"validation-split\.npz is absent.*train the ladder"):
        add_model(path, "rooms", models=models)
