"""Canaries are items that the file and the native model agree on."""

import json

import numpy as np
from ounce_edge.models.canaries import check_canaries
from ounce_edge.models.runtimes.fake import FakeModel
from ounce_exporters.export.canaries import choose_canaries
from ounce_schemas.card import Canaries

from tests.support.edge.ladders import NUMBERS


def test_items_that_differ_are_left_out_and_the_others_are_found_again() -> None:
    rng = np.random.default_rng(0)
    inputs = {
        "input": rng.standard_normal((9, 2)).astype(np.float32),
        "categories": np.array([["red"], [""]] * 4 + [["blue"]], object),
    }
    inputs["input"][3, 1] = np.nan
    exported = rng.standard_normal((9, 3)).astype(np.float32)
    native = exported.copy()
    native[[0, 1, 2, 8]] += 0.5
    found = choose_canaries(inputs, exported, native)
    again = Canaries.model_validate_json(json.dumps(found.model_dump()))
    assert again == found
    assert np.array_equal(np.float32(found.answers), exported[3:7])

    def answer(given: object) -> np.ndarray:
        assert isinstance(given, dict)
        assert np.array_equal(given["input"], inputs["input"][3:7], equal_nan=True)
        assert given["categories"].tolist() == inputs["categories"][3:7].tolist()
        return exported[3:7]

    check_canaries(FakeModel(NUMBERS, answer), NUMBERS, again)


def test_a_large_item_is_the_only_one() -> None:
    inputs = {"input": np.zeros((5, 3000), np.float32)}
    assert len(choose_canaries(inputs, np.zeros((5, 2)), np.zeros((5, 2))).answers) == 1
