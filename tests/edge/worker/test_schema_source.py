"""How a worker is told of its schema registry."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_edge.worker.startup import make_schemas
from ounce_schemas.errors import OunceError
from pydantic import ValidationError


def settings(**given: Any) -> WorkerSettings:
    return WorkerSettings(task=("digits",), kafka="nowhere:1", **given)


def test_without_a_registry_there_is_none() -> None:
    assert make_schemas(settings()) is None


def test_the_login_comes_from_the_environment_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("secret\n")
    for given in ({"schema_registry_password": "secret"}, {"schema_registry_password_file": file}):
        own = settings(schema_registry="http://r:1", schema_registry_user="ann", **given)
        assert own.schema_registry_login == ("ann", "secret")
        assert make_schemas(own) is not None


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"schema_registry": "http://ann:secret@r:1"}, "others can read it"),
        ({"schema_registry_user": "ann"}, "go together"),
        ({"schema_registry_password": "x"}, "go together"),
        (
            {
                "schema_registry_user": "ann",
                "schema_registry_password": "x",
                "schema_registry_password_file": Path("x"),
            },
            "OUNCE_SCHEMA_REGISTRY_PASSWORD and --schema-registry-password-file are given",
        ),
        ({"schema_registry": "file:///etc/passwd"}, "http"),
    ],
)
def test_settings_that_do_not_fit(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why) as caught:
        settings(**given)
    assert "secret" not in str(caught.value)


def test_a_package_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(OunceError, match=r'package fastavro: .*"ounce\[registry\]"'):
        make_schemas(settings(schema_registry="http://r:1"))
