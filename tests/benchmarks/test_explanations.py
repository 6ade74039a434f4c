"""The benchmark of explanations: a row for each model that explains, and which do not."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.models.catalogue import Ladder

from benchmarks.kinds import explanations


def test_each_model_that_explains_has_a_row(
    digits_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explanations, "_ROUNDS", 2)
    monkeypatch.setattr(explanations, "SIZES", (1, 8))
    table = explanations.measure_explanations(digits_models, ["digits"])
    rows = {str(row[1]): row for row in table.rows}
    assert rows.keys() == {"decision-tree", "logistic-regression", "mlp"}
    assert rows["mlp"][2] == "rescale"
    assert rows["logistic-regression"][2] == "exact"
    for row in rows.values():
        assert float(str(row[3])) <= 1e-5
        assert all(float(str(ratio)) > 0 for ratio in row[5:])


def test_a_model_that_does_not_explain_is_named(
    digits_models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = explanations.load_ladder

    def without(*args: Any, **how: Any) -> Ladder:
        ladder = whole(*args, **how)
        models = [replace(m, explained=None) if m.card.model == "mlp" else m for m in ladder.models]
        return replace(ladder, models=models)

    monkeypatch.setattr(explanations, "_ROUNDS", 1)
    monkeypatch.setattr(explanations, "load_ladder", without)
    table = explanations.measure_explanations(digits_models, ["digits"])
    assert "Without explanations: digits/mlp." in str(table.note)
