"""What a gateway's trial counts."""

import pytest

from benchmarks.gateway.accounting import Account, account, share_within


@pytest.mark.parametrize(
    ("arrivals", "found"),
    [
        ([0, 1, 2, 3, 4, 5], Account(6, 0, 0, 0)),
        ([1, 0, 3, 2, 5, 4], Account(6, 0, 0, 0)),
        ([0, 2, 1, 3, 5], Account(6, 1, 0, 0)),
        ([2, 0, 1, 3, 4, 5], Account(6, 0, 0, 1)),
        ([0, 2, 0, 2, 4, 1, 3, 5], Account(6, 0, 2, 0)),
        ([], Account(6, 6, 0, 0)),
    ],
)
def test_losses_repeats_and_order(arrivals: list[int], found: Account) -> None:
    assert account(arrivals, 6, 2) == found


def test_an_answer_that_did_not_come_is_late() -> None:
    assert share_within([0.05, 0.1, 0.2], 0.1, 4) == 0.5
