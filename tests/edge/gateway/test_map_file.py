"""A file of maps: what it says, and what is said of one that is wrong."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from click.testing import CliRunner
from ounce_edge.gateway.command import command
from ounce_edge.gateway.settings import GatewaySettings
from ounce_schemas.bounded_yaml import MOST_BYTES
from ounce_schemas.topic_maps import MapKind

GOOD = """\
maps:
  - topic: sensors/+device/+task
  - topic: plant/+/+device/csv
    task: bearing
    content_type: text/csv
    max_latency_ms: 20
    min_accuracy: 0.91234567
  - topic: truth/+device/+task
    kind: labels
"""
SCHEMA = Path(__file__).parents[3] / "schemas" / "generated" / "topic-maps.schema.json"


def settings(path: Path, **more: Any) -> GatewaySettings:
    return GatewaySettings(
        **{"task": ("digits", "bearing"), "kafka": "k:9092", "maps": path, **more}
    )


def write(folder: Path, text: str) -> Path:
    path = folder / "maps.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_says_tasks_devices_labels_and_what_devices_can_not(tmp_path: Path) -> None:
    maps = settings(write(tmp_path, GOOD)).topic_maps
    assert maps.filters == ["sensors/+/+", "plant/+/+/csv", "truth/+/+"]
    place, by = maps.find("plant/hall-2/pump-3/csv")
    assert (place.task, place.device) == ("bearing", "pump-3")
    assert by.defaults == (
        ("content-type", b"text/csv"),
        ("ce_maxlatencyms", b"20"),
        ("ce_minaccuracy", b"0.91234567"),
    )
    assert maps.find("truth/d1/digits").by.kind is MapKind.LABELS
    jsonschema.validate(yaml.safe_load(GOOD), json.loads(SCHEMA.read_text()))


def test_options_go_beside_a_file(tmp_path: Path) -> None:
    found = settings(
        write(tmp_path, GOOD), map=("more/+device/+task",), labels=("l/+device/+task",)
    )
    assert len(found.topic_maps.filters) == 5
    with pytest.raises(
        ValueError, match=r"'sensors/[+]device/x=digits' and .*maps[.]0 match the same"
    ):
        settings(write(tmp_path, GOOD), map=("sensors/+device/x=digits",))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "maps.yaml: holds no fields"),
        ("maps: []", "maps.yaml: maps: "),
        ("maps: [a: ]", "maps.yaml: maps.0.topic: Field required; maps.0.a: unknown field"),
        ("maps: [{topic: s/+device}]", "maps.0: 's/+device': name the task by a level +task"),
        ("maps: [{topic: s/+task}]", "maps.0: 's/+task' has no level +device"),
        ("maps: [{topic: 's/#/+device', task: digits}]", "maps.0: 's/#/+device': # can only be"),
        ("maps: [{topic: s/+device, task: other}]", "maps.0 needs --task other"),
        ("maps: [{topic: s/+device, task: ../x}]", "maps.0.task: "),
        ("maps: [{topic: s/+device/+task, kind: label}]", "maps.0.kind: Input should be"),
        (
            "maps: [{topic: t/+device/+task, kind: labels, min_accuracy: 1}]",
            "maps.0: labels have no max_latency_ms and no min_accuracy",
        ),
        ("maps: [{topic: s/+device/+task, min_accuracy: 95}]", "less than or equal to 1"),
        ('maps: [{topic: s/+device/+task, content_type: "a\\nb"}]', "content_type: "),
        ("maps: [{topic: answers/+device/+task}]", "would be read again by "),
        ("maps: [{topic: s/+device/+task}, {topic: s/a/+device, task: digits}]", "match the same"),
        ("maps: [{topic: t/+device/+task, kind: labels}]", "no map of requests"),
        ("maps: [&a [*a]]", "maps.yaml: not valid YAML"),
        ("maps: " + "[" * 10_000, "maps.yaml: not valid YAML: nested too deeply"),
        ("maps: 1\nmaps: 2", "maps.yaml: not valid YAML"),
        ("maps: []" + " " * MOST_BYTES, "are read: take patterns in place of lists of names"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_its_place(
    tmp_path: Path, text: str, why: str
) -> None:
    options = ["--task=digits", "--kafka=k:9092", f"--maps={write(tmp_path, text)}"]
    done = CliRunner().invoke(command, options)
    assert done.exit_code == 2
    assert why in " ".join(done.output.split())


@pytest.mark.parametrize("content", [None, b"maps: \xff"])
def test_a_file_that_can_not_be_read_is_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "absent.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=r"absent[.]yaml: can't be read"):
        settings(path)
