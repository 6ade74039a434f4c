"""A short run of the fuzzer, and that it finds what it looks for."""

from typing import Any

import pytest
from click.testing import CliRunner
from ounce_edge.pipeline.waiting import Waiting

from trials.fuzz.__main__ import main
from trials.fuzz.mutations import Mutator


def test_five_thousand_messages() -> None:
    result = CliRunner().invoke(main, ["--messages=5000", "--seed=1"])
    assert result.exit_code == 0, result.output
    assert "5,000 messages, none lost, none repeated" in result.output
    for reason in ("malformed-json", "bad-target", "wrong-length", "null-value", "not-finite"):
        assert reason in result.output
    for size in ("too-large", "without its value", "without its headers"):
        assert size in result.output


def test_a_lost_message_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    add = Waiting.add

    def loses_one(self: Waiting, *arrived: Any) -> None:
        add(self, *arrived)
        self._keep(self._item[:-1])

    monkeypatch.setattr(Waiting, "add", loses_one)
    result = CliRunner().invoke(main, ["--messages=400"])
    assert result.exit_code == 1
    assert "messages 0 to 200: 199 answers and dead letters" in result.output


def test_the_same_seed_gives_the_same_messages() -> None:
    first, second = ([Mutator(7).any(i) for i in range(100)] for _ in range(2))
    assert first == second
