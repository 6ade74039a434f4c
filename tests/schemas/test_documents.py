"""Documents: what they accept, and errors that name file, field and value."""

import json
from pathlib import Path

import pytest
from ounce_schemas.documents import read_advice, read_card, read_device, read_policy, read_task
from ounce_schemas.errors import ArtifactError, PolicyError
from ounce_schemas.policy import Policy
from ounce_schemas.routing import Fallback
from ounce_schemas.task import TaskSpec
from pydantic import ValidationError

from tests.support.edge.ladders import DIGITS, card


def test_documents_survive_a_round_trip(tmp_path: Path) -> None:
    (tmp_path / "task.json").write_text(DIGITS.model_dump_json())
    assert read_task(tmp_path / "task.json") == DIGITS
    own = card(DIGITS, "a")
    (tmp_path / "card.json").write_text(own.model_dump_json(indent=1))
    assert read_card(tmp_path / "card.json") == own


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 2}, "format: Input should be 1 (given: '2')"),
        ({"cache_kb": 512}, "cache_kb: unknown field"),
        ({"reference": {"call_us": 4.0}}, "reference.matrix_us: Field required"),
    ],
)
def test_a_device_card_of_another_version_is_refused_with_what_to_do(
    tmp_path: Path, changes: dict[str, object], told: str
) -> None:
    times = {"call_us": 4.0, "matrix_us": 30.0, "trees_us": 80.0, "convolution_us": 100.0}
    card = {"host": "pi-7", "processor": "A72", "runtime": "onnxruntime-cpu 1.30.0"}
    path = tmp_path / "pi.json"
    path.write_text(json.dumps({**card, "reference": times, **changes}))

    with pytest.raises(ArtifactError) as refused:
        read_device(path)

    assert str(refused.value).startswith(f"{path}: {told}")
    assert str(refused.value).endswith(
        "; write it anew on the device, with the version of Ounce that is here: "
        "ounce runtimes --card FILE"
    )


def test_advice_of_another_version_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "advice.json"
    path.write_text('{"format": 2}')

    with pytest.raises(ArtifactError, match=r"Input should be 1.*; `ounce advise` writes it anew$"):
        read_advice(path)


def test_the_built_in_policy() -> None:
    rules = Policy().for_task("any")
    assert (rules.max_latency_ms, rules.min_accuracy) == (100, 0.9)
    assert rules.fallback is Fallback.MOST_ACCURATE_IN_TIME
    assert rules.permits("anything")


def test_a_policy_in_yaml_with_rules_per_task(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        """
        version: "7"
        min_accuracy: 0.8
        tasks:
          digits: {max_latency_ms: 20, min_accuracy: 0, fallback: refuse, deny: [tree]}
          bearing: {allow: [cnn-1d]}
        """
    )
    policy = read_policy(path)
    digits, bearing = policy.for_task("digits"), policy.for_task("bearing")
    assert (digits.max_latency_ms, digits.min_accuracy) == (20, 0)
    assert digits.fallback is Fallback.REFUSE
    assert not digits.permits("tree")
    assert (bearing.max_latency_ms, bearing.min_accuracy) == (100, 0.8)
    assert bearing.permits("cnn-1d")
    assert not bearing.permits("gru")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("min_accuracy: 95", "min_accuracy: .*less than or equal to 1.*'95'"),
        ("max_latency_ms: .nan", "max_latency_ms: "),
        ("fallback: none", "fallback: .*'none'"),
        ("tasks: {Digits: {}}", "tasks"),
        ("tasks: {digits: {allow: [a], deny: [a]}}", "leaves no model"),
        ("just text", r"policy\.yaml: holds no fields"),
        ("", r"policy\.yaml: holds no fields"),
        ("a: [", r"policy\.yaml: not valid YAML: line 1, column 5: "),
    ],
)
def test_a_wrong_policy_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(PolicyError, match=message) as caught:
        read_policy(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_absent_document_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"absent\.json: can't be read: No such file or d"):
        read_task(tmp_path / "absent.json")


def test_a_field_of_a_later_version_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "task.json"
    path.write_text(json.dumps({**DIGITS.model_dump(mode="json"), "colour": "red"}))
    with pytest.raises(ArtifactError, match=r"task\.json: colour: unknown field.*later.*upgrade"):
        read_task(path)
    path.write_text(json.dumps({**DIGITS.model_dump(mode="json"), "kind": "poem"}))
    with pytest.raises(ArtifactError, match=r"kind: [^;]*$"):
        read_task(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ("a",)}, "two or more distinct labels"),
        ({"labels": ("a", "a")}, "two or more distinct labels"),
        ({"kind": "regression"}, "needs tolerance"),
        ({"inputs": (*DIGITS.inputs, *DIGITS.inputs)}, "input names repeat"),
        ({"name": "Digits!"}, "name"),
        ({"inputs": ()}, "inputs"),
    ],
)
def test_a_task_that_makes_no_sense(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        TaskSpec.model_validate(DIGITS.model_dump() | changes)
