"""What a front is told, and what it refuses."""

from typing import Any

import pytest
from ounce_edge.front.settings import HttpSettings
from pydantic import ValidationError

GOOD: dict[str, Any] = {"task": ("digits",), "kafka": "k:9092"}
FILE = "pyproject.toml"


def test_only_this_machine_may_ask_unless_it_is_said() -> None:
    assert HttpSettings(**GOOD).host == "127.0.0.1"
    for more, is_open in (
        ({}, False),
        ({"host": "localhost"}, False),
        ({"host": "::1"}, False),
        ({"host": "0.0.0.0"}, True),
        ({"host": "gateway.example"}, True),
        ({"host": "0.0.0.0", "tokens_file": FILE}, False),
    ):
        assert HttpSettings(**GOOD, **more).is_open is is_open, more


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"tls_certificate": FILE}, "go together"),
        ({"tls_key": FILE}, "go together"),
        ({"tls_client_ca": FILE}, "needs --tls-certificate"),
        ({"device_from_certificate": True}, "needs --tls-client-ca"),
        ({"tokens_file": "no-such-file"}, "can't be read"),
        ({"max_waiting": 0}, "greater than or equal"),
        ({"task": ("../x",)}, "pattern"),
    ],
)
def test_what_can_not_be_is_refused_by_name(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        HttpSettings(**{**GOOD, **more})
