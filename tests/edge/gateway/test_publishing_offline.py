"""Answers that are published while MQTT is away wait for it."""

from ounce_edge.gateway.replies import Reply
from ounce_edge.gateway.session import Session
from ounce_edge.gateway.settings import GatewaySettings


def test_an_answer_without_a_connection_is_unconfirmed_and_no_error() -> None:
    settings = GatewaySettings(map=("s/+device/+task",), task=("digits",), kafka="nowhere:1")
    session = Session(settings, settings.topic_maps.filters)
    for _ in range(2):
        session.publish(Reply("answers/d/digits", b"1"), b"{}", None, [("ounce-id", "1")])
    assert session.n_unconfirmed == 2
