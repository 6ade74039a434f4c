"""Asking who is in a group, by a process of its own; on a real Kafka: `test_groups_on_kafka`."""

import sys
from pathlib import Path

import pytest
from ounce_edge.broker.group_members import GroupMembers


def test_where_the_process_that_asks_is_ended_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nkill -ABRT $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    assert GroupMembers({"bootstrap.servers": "127.0.0.1:1"}, "g").strangers() is None


def test_what_the_process_that_asks_can_not_use_tells_nothing() -> None:
    assert GroupMembers({"no.such.property": "x"}, "g").strangers() is None
