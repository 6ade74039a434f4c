"""`ounce http` where it can't begin."""

import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from ounce_schemas.command import root

from tests.support.process.command import ounce

BASIC = ["http", "--task=digits", "--kafka=127.0.0.1:1"]


def test_the_extra_that_it_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    result = CliRunner().invoke(root, BASIC)
    assert result.exit_code == 1
    assert 'pip install "ounce[edge,http]"' in result.output


@pytest.mark.parametrize("option", ["--port", "--metrics-port"])
def test_a_port_that_is_taken_ends_it_with_one_line(option: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        others = {"--port": 0, "--metrics-port": 0, option: port}
        words = [f"{name}={value}" for name, value in others.items()]
        result = ounce(*BASIC, "--metrics-host=127.0.0.1", *words)
    assert result.code == 1
    assert f"choose another {option}" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_of_tokens_that_can_not_be_used_ends_it(tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("short")
    result = ounce(*BASIC, f"--tokens-file={tmp_path}/tokens")
    assert result.code == 1
    assert "line 1 is no token" in result.stderr
    assert "short" not in result.stderr
