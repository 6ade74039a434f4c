"""Asking about a group, by a process of its own; on a real Kafka: `worker/on_kafka`."""

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest
from ounce_edge.broker.group_question import GroupAnswer, GroupQuestion
from ounce_services.cluster.embedded import EmbeddedBroker


@pytest.mark.parametrize("does", ["kill -ABRT $$", "echo a greeting"])
def test_where_the_process_that_asks_is_ended_or_says_other_things_nothing_is_known(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, does: str
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{does}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    assert GroupQuestion({"bootstrap.servers": "127.0.0.1:1"}, "g").ask_once() is None


def test_what_the_process_that_asks_can_not_use_tells_nothing() -> None:
    assert GroupQuestion({"no.such.property": "x"}, "g").ask_once() is None


def test_one_process_answers_all_questions_and_another_one_where_it_ended(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program, begun = tmp_path / "python", tmp_path / "begun"
    say = """echo '{"strangers": null, "may_read": true}'"""
    program.write_text(
        f"#!/bin/sh\necho $$ >> {begun}\nread of\n"
        f"read question && {say}\nread question && {say}\n"  # and then it ends
    )
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    question, told = GroupQuestion({}, "g"), GroupAnswer(None, may_read=True)
    with closing(question):
        assert [question.ask(), question.ask(), question.ask()] == [told, told, None]
        assert [question.ask(), question.ask_once(), question.ask()] == [told] * 3
    pids = [int(line) for line in begun.read_text().split()]
    assert len(pids) == 3
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_files_of_the_folder_in_which_a_worker_runs_are_no_modules_and_the_embedded_broker_has_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "random.py").write_text("raise SystemExit('not that one')\n")
    monkeypatch.chdir(tmp_path)
    with EmbeddedBroker() as broker:
        question = GroupQuestion({"bootstrap.servers": broker.bootstrap_servers}, "g")
        with closing(question):
            for _ in range(2):
                assert question.ask() == GroupAnswer((), may_read=True)
