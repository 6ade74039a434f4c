"""Models of numbers and of images have the forms that suit them, each with a card of its own."""

from pathlib import Path

import pytest
from ounce_exporters.ladder.building import build_ladder
from ounce_exporters.lighter.recipes import with_lighter
from ounce_exporters.progress.reporters import Reporters
from ounce_exporters.tasks.table.recipes import families
from ounce_schemas.documents import read_card

from benchmarks.made_items import KINDS


@pytest.mark.parametrize(
    ("kind", "name", "forms"),
    [
        ("numbers, quantity", "decision-tree", {"tensors"}),
        ("numbers, anomalies", "isolation-forest", {"tensors"}),
        ("numbers, clusters", "k-means", {"tensors"}),
        ("images, quantity", "small-cnn", {"fp16", "int8", "int8-symmetric"}),
    ],
)
def test_forms_are_made_of_each(kind: str, name: str, forms: set[str], tmp_path: Path) -> None:
    data = KINDS[kind]()
    (tmp_path / data.spec.name).mkdir()
    recipe = next(family.recipe() for family in families(data) if family.name == name)
    built = build_ladder(data, with_lighter([recipe], keep=True), tmp_path, 0, Reporters())
    assert built.failures == []
    assert {card.model for card in built.cards} == {name, *(f"{name}-{form}" for form in forms)}
    for card in built.cards:
        assert card == read_card(tmp_path / data.spec.name / card.model / "card.json")
        assert card.parity.n == len(data.test)
    assert len({card.sha256 for card in built.cards}) == 1 + len(forms)
