"""What callers are told of requests that get no answer."""

import json

import pytest
from ounce_edge.front.statuses import STATUSES, NotAnsweredError, of_letter
from ounce_schemas.errors import Reason


def test_every_reason_of_a_dead_letter_has_a_status_of_an_error() -> None:
    assert set(STATUSES) == set(Reason)
    assert all(400 <= status < 600 for status in STATUSES.values())


def test_a_reason_of_a_newer_worker_is_a_fault_of_this_side() -> None:
    error = of_letter("moon-phase", "")
    assert (error.status, error.text) == (500, "moon-phase")


def test_the_body_is_the_protocol_s_error() -> None:
    error = of_letter("missing-input", "input ['x'] is missing")
    assert error.status == 422
    assert json.loads(error.body) == {"error": "input ['x'] is missing", "reason": "missing-input"}
    assert json.loads(NotAnsweredError(504, "no answer").body) == {"error": "no answer"}


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (503, {"Retry-After": "1"}),
        (429, {"Retry-After": "1"}),
        (401, {"WWW-Authenticate": "Bearer"}),
        (422, {}),
    ],
)
def test_who_may_try_again_is_told_when(status: int, headers: dict[str, str]) -> None:
    assert NotAnsweredError(status, "why").headers == headers
