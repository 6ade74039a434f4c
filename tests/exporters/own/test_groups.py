"""Groups and clusters of a ladder's items judge the models that join it."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from ounce_exporters.api import Ladder, Outputs, Rows, add_model, read_ladder
from ounce_exporters.cascades.planning import plan_ladder
from ounce_exporters.export.artifacts import new_ladder
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.own.command import command
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_schemas.card import AccuracyEstimate
from ounce_schemas.errors import DataError

from tests.exporters.own.foreign import linear, rooms

LABELS = Outputs(labels=("no", "maybe", "yes"))


@pytest.fixture
def by_machine(tmp_path: Path) -> Path:
    """A models folder with `rooms`, split by machine, whose figures are told apart by site."""
    table = rooms(480).drop(columns="watts")
    table["machine"] = [f"m{i % 16}" for i in range(len(table))]
    table["busy"] = table["busy"].where(table.index % 16 > 3, "no")  # machines differ
    table.to_csv(tmp_path / "rooms.csv", index=False)
    options = TableOptions(unit="machine", by="site")
    data = load(tmp_path / "rooms.csv", "busy", "rooms", options, 0, lambda line: None)
    chosen = [recipe for recipe in recipes(data) if recipe.name == "decision-tree"]
    with new_ladder(tmp_path / "models", data.spec, data.test, keep_models=False) as scratch:
        build_ladder(data, chosen, scratch, 0, Reporters())
        plan_ladder(data, scratch, 0, Reporters())
    return tmp_path / "models"


def sites(ladder: Ladder) -> dict[str, set[str]]:
    """Groups that each model's card has."""
    return {
        card.model: set() if card.groups is None else {g.name for g in card.groups.groups}
        for card in ladder.cards
    }


def accuracies(ladder: Ladder) -> dict[str, AccuracyEstimate]:
    """Each model's accuracy on test data."""
    return {card.model: card.test_accuracy for card in ladder.cards}


def test_a_model_that_joins_leaves_the_promises_of_others_as_they_were(
    by_machine: Path, tmp_path: Path
) -> None:
    [before] = read_ladder("rooms", models=by_machine).plans
    hand = linear(tmp_path / "hand.onnx")
    ladder = add_model(hand, "rooms", models=by_machine, outputs=LABELS)
    [after] = [plan for plan in ladder.plans if plan.name == "decision-tree"]
    assert after.accuracy == before.accuracy
    [card] = [card for card in ladder.cards if card.model == "hand"]
    assert card.validation_accuracy.n < 360, "items of one machine tell of each other"
    assert sites(ladder)["hand"] == {"north", "south", "west"}
    again = add_model(hand, "rooms", models=by_machine, outputs=LABELS)
    assert sites(again) == sites(ladder)


def test_rows_of_a_file_have_groups_of_their_own(models: Path, tmp_path: Path) -> None:
    rooms(400, seed=5).to_csv(tmp_path / "later.csv", index=False)
    rows = Rows(tmp_path / "later.csv", "busy", by="site")
    hand = linear(tmp_path / "hand.onnx")
    ladder = add_model(hand, "rooms", models=models, data=rows, outputs=LABELS)
    assert set(sites(ladder)) == {"hand", "decision-tree", "logistic-regression"}
    assert all(found == {"north", "south", "west"} for found in sites(ladder).values())
    card = next(card for card in ladder.cards if card.model == "hand")
    assert card.groups is not None
    assert sum(group.accuracy.n for group in card.groups.groups) == card.validation_accuracy.n
    # The next file needs not name the column again.
    rooms(400, seed=6).to_csv(tmp_path / "last.csv", index=False)
    last = add_model(
        hand, "rooms", models=models, data=(tmp_path / "last.csv", "busy"), outputs=LABELS
    )
    assert sites(last) == sites(ladder)


def test_rows_that_judge_already_get_groups(models: Path, tmp_path: Path) -> None:
    later = tmp_path / "later.csv"
    rooms(400, seed=5).to_csv(later, index=False)
    hand = linear(tmp_path / "hand.onnx")
    before = add_model(hand, "rooms", models=models, data=(later, "busy"), outputs=LABELS)
    assert not any(sites(before).values())
    rows = Rows(later, "busy", by="site")
    ladder = add_model(hand, "rooms", models=models, data=rows, outputs=LABELS)
    assert all(found == {"north", "south", "west"} for found in sites(ladder).values())
    # By name: the order of a ladder's cards follows measured costs.
    assert accuracies(ladder) == accuracies(before)
    assert {card.training.source.count("judged with") for card in ladder.cards} == {1}


def test_groups_that_can_not_be_are_refused(
    own_ladders: Path, models: Path, tmp_path: Path
) -> None:
    hand = linear(tmp_path / "hand.onnx")
    table = own_ladders / "rooms.csv"
    with pytest.raises(DataError, match="--by: there is no column 'place': the table has warm"):
        add_model(hand, "rooms", models=models, data=Rows(table, "busy", by="place"))
    with pytest.raises(DataError, match="the ladder's own splits judge, which keep no groups"):
        add_model(hand, "rooms", models=models, data=Rows(table, "busy", by="site"))
    words = [str(hand), "--task", "rooms", "--models", str(models), "--by", "site"]
    result = CliRunner().invoke(command, words)
    assert result.exit_code == 2
    assert "--by COLUMN needs --data FILE" in result.output


def test_the_command_shows_figures_by_group(models: Path, tmp_path: Path) -> None:
    later = tmp_path / "later.csv"
    rooms(400, seed=5).to_csv(later, index=False)
    hand = linear(tmp_path / "hand.onnx")
    words = [str(hand), "--task", "rooms", "--models", str(models), "--by", "site"]
    words += ["--data", str(later), "--target", "busy"]
    words += [word for label in LABELS.labels for word in ("--label", label)]
    result = CliRunner().invoke(command, words, catch_exceptions=False)
    assert "hand by site, on validation data" in result.output
    assert pd.Series(["north", "south", "west"]).isin(result.output.split()).all()
