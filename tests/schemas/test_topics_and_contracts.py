"""Topic names, and the generated contracts."""

import json
from pathlib import Path

import jsonschema
from click.testing import CliRunner
from ounce_schemas.generate import command, contracts
from ounce_schemas.topics import all_topics, events_topic, task_topics

from tests.support.edge.ladders import DIGITS, card

ROOT = Path(__file__).parents[2]


def test_a_task_has_four_topics() -> None:
    assert task_topics("a-1") == (
        "ounce.a-1.requests",
        "ounce.a-1.predictions",
        "ounce.a-1.dead-letters",
        "ounce.a-1.labels",
    )


def test_all_tasks_share_the_topics_of_events_and_of_control() -> None:
    shared = [events_topic(), "ounce.policies", "ounce.canaries", "ounce.models"]
    assert all_topics(["a", "b"]) == [*task_topics("a"), *task_topics("b"), *shared]


def test_the_repository_holds_what_the_code_says() -> None:
    result = CliRunner().invoke(command, ["--check", "--out", str(ROOT / "schemas" / "generated")])
    assert result.exit_code == 0, result.output


def test_a_stale_or_absent_file_is_named(tmp_path: Path) -> None:
    assert CliRunner().invoke(command, ["--out", str(tmp_path)]).exit_code == 0
    (tmp_path / "card.schema.json").write_text("{}")
    (tmp_path / "asyncapi.json").unlink()
    result = CliRunner().invoke(command, ["--check", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert f"{tmp_path}/asyncapi.json missing; {tmp_path}/card.schema.json not as" in str(
        result.exception
    )
    result = CliRunner().invoke(command, ["--check", "--out", str(tmp_path / "elsewhere")])
    assert "run it in a checkout of Ounce" in str(result.exception)


def test_every_schema_is_one_and_accepts_what_the_code_writes() -> None:
    for name, text in contracts().items():
        if name.endswith(".schema.json"):
            jsonschema.Draft202012Validator.check_schema(json.loads(text))
    validate = {n: jsonschema.Draft202012Validator(json.loads(t)) for n, t in contracts().items()}
    validate["task.schema.json"].validate(json.loads(DIGITS.model_dump_json()))
    validate["card.schema.json"].validate(json.loads(card(DIGITS, "a").model_dump_json()))
    tensor = {"name": "input", "shape": [1, 2], "datatype": "FP32", "data": [1, 2.5]}
    validate["request.schema.json"].validate({"inputs": [tensor], "id": "a"})
    wrong = {"inputs": [tensor | {"data": ["x"]}]}
    assert not validate["request.schema.json"].is_valid(wrong)


def test_every_reference_of_the_asyncapi_document_resolves() -> None:
    files = contracts()
    document = json.loads(files["asyncapi.json"])

    def references(part: object) -> list[str]:
        if isinstance(part, dict):
            own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
            return own + [r for value in part.values() for r in references(value)]
        return [r for item in part for r in references(item)] if isinstance(part, list) else []

    found = references(document)
    assert len(found) > 8
    for reference in found:
        if not reference.startswith("#/"):
            assert reference in files
            continue
        part = document
        for step in reference[2:].split("/"):
            part = part[step]
