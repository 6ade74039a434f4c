"""A sample to learn from keeps every class."""

import numpy as np
from ounce_exporters.training.sampling import LEAST_OF_CLASS, sample_rows


def test_classes_keep_their_shares_and_rare_ones_their_rows() -> None:
    targets = np.repeat(np.arange(3), [90_000, 9_990, 10]).astype(np.int64)
    rows = sample_rows(targets, 10_000, seed=1)
    assert np.bincount(targets[rows]).tolist() == [9_000, 999, 10]
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, sample_rows(targets, 10_000, seed=1))
    assert not np.array_equal(rows, sample_rows(targets, 10_000, seed=2))


def test_a_class_of_some_rows_keeps_enough_to_be_learned() -> None:
    targets = np.repeat(np.arange(2), [99_000, 1_000]).astype(np.int64)
    rows = sample_rows(targets, 2_000, seed=0)
    assert np.bincount(targets[rows]).tolist() == [1_980, LEAST_OF_CLASS]


def test_of_a_quantity_every_row_is_as_likely() -> None:
    values = np.arange(100_000, dtype=np.float32)
    rows = sample_rows(values, 10_000, seed=0)
    assert len(np.unique(rows)) == 10_000
    assert abs(values[rows].mean() - values.mean()) < 1_000
