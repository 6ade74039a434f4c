"""What a gateway is told, and what it refuses."""

from pathlib import Path
from typing import Any

import pytest
from ounce_edge.gateway.settings import GatewaySettings
from pydantic import ValidationError

GOOD: dict[str, Any] = {"map": ("s/+device/+task",), "task": ("digits",), "kafka": "k:9092"}


def test_a_name_is_the_host_s_and_a_group_the_name_s() -> None:
    settings = GatewaySettings(**GOOD)
    assert settings.own_name == settings.own_group != ""
    assert settings.mqtt_address == ("localhost", 1883, False)
    assert GatewaySettings(**GOOD, mqtt="mqtts://h").mqtt_address == ("h", 8883, True)


def test_the_password_comes_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    settings = GatewaySettings(**GOOD, mqtt_username="u", mqtt_password_file=path)
    assert settings.mqtt_login == "hunter2"
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"map": ("s/+device/+task", "s/#=digits")}, r"no level \+device"),
        ({"map": ("s/+device/+task", "s/a/+device=digits")}, "match the same topics"),
        ({"map": ()}, "no map of requests"),
        ({"map": (), "labels": ("truth/+device/+task",)}, "no map of requests"),
        ({"labels": ("s/+device/labels=digits",)}, "match the same topics"),
        ({"labels": ("answers/+device/+task",)}, "would be read again"),
        ({"task": ()}, "at least one"),
        ({"task": ("../x",)}, "pattern"),
        ({"map": ("s/+device=other",)}, "needs --task other"),
        ({"answers": "s/+device/+task"}, "would be read again"),
        ({"answers": "a/+task"}, r"needs a level \+device"),
        ({"answers": "a/+device/#"}, "no [+] or # alone"),
        ({"reply_to": ("a/x+device",)}, r"a level with \+"),
        ({"mqtt": "localhost"}, "write mqtt://"),
        ({"mqtt": "mqtt://u:p@h"}, "write mqtt://"),
        ({"mqtt": "mqtt://h:99999"}, "write mqtt://"),
        ({"mqtt_password": "x"}, "needs --mqtt-username"),
        ({"mqtt_ca": "pyproject.toml"}, "--mqtt-ca needs"),
        ({"mqtt_ca": "no-such-file", "mqtt": "mqtts://h"}, "can't be read"),
        ({"mqtt": "mqtts://h", "mqtt_key": "pyproject.toml"}, "go together"),
    ],
)
def test_what_can_not_be_is_refused_by_name(more: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        GatewaySettings(**{**GOOD, **more})
