"""Records that are no JSON are passed over by everything that reads topics, whatever they hold."""

import pytest
from ounce_services.client.answer import read_answer
from ounce_services.client.tail_command import _event_line
from ounce_services.control.stream import Stream
from ounce_services.devices.answer_forms import read_prediction
from ounce_services.policies.outcomes import read_answers, read_labels
from ounce_services.policies.shadow_join import compare
from ounce_services.policies.status import read_statuses

from tests.services.test_shadow_comparison import answer
from tests.support.edge.ladders import DIGITS

NO_JSON = {
    "no UTF-8": b'{"id": "\xff\xfe", "label": "\xff", "worker": "\xff"}',
    "deep": b'{"other": ' + b"[" * 100_000,
    "cut": b'{"id": "1',
    "empty": b"",
    "raw": b"\x00\x00\x80\x3f",
}


@pytest.fixture(params=NO_JSON.values(), ids=list(NO_JSON))
def value(request: pytest.FixtureRequest) -> bytes:
    found: bytes = request.param
    return found


def test_no_json_is_passed_over(value: bytes) -> None:
    stream = Stream({})
    stream.take("digits", [(b"d", value), answer("1", "7", "v2")])
    assert [each.id for each in stream.of("digits").answers] == ["1"]
    joined = compare(
        [(b"d", value), answer("1", "7", "s")], [answer("1", "7", "v2"), (b"d", value)]
    )
    assert joined["s"].n == 1
    assert (read_answers([value], "digits"), read_labels([(value, [])])) == ({}, {})
    assert read_statuses([value]) == []
    assert _event_line("now", value, "digits") is None


def test_no_json_is_no_answer(value: bytes) -> None:
    with pytest.raises(ValueError, match="no prediction") as refused:
        read_answer(value)
    assert type(refused.value) is ValueError
    if value.startswith(b"{"):  # else it may be raw
        with pytest.raises(ValueError, match="no answer") as refused:
            read_prediction(value, {}, DIGITS)
        assert type(refused.value) is ValueError
