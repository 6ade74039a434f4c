"""Peers' requests and answers fit together, environments are kept, and the tables tell all."""

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks.peers import __main__ as command
from benchmarks.peers.base import Job, Peer
from benchmarks.peers.client import bodies_of, number_of
from benchmarks.peers.comparison import Round, sustainable, tables
from benchmarks.peers.environment import PeerUnavailableError, prepare
from benchmarks.peers.measures import Steady, steady_of
from benchmarks.peers.quix_streams import QUIX


def peer(name: str, body: str = "raw", *requirements: str) -> Peer:
    return Peer(name, name.title(), body, requirements, lambda python, job: [], 1)  # type: ignore[arg-type]


def test_requests_are_what_the_body_says() -> None:
    inputs = np.arange(128, dtype=np.float32).reshape(2, 64)
    raw = bodies_of(peer("a"), inputs)
    assert [np.frombuffer(body, "<f4").tolist() for body in raw] == inputs.tolist()
    document = json.loads(b'{"id":"7",' + bodies_of(peer("a", "json"), inputs)[1])
    assert document["id"] == "7"
    assert document["inputs"][0]["data"] == inputs[1].tolist()


def test_an_answer_is_known_by_its_key_or_its_id() -> None:
    assert number_of(b"12", b"whatever") == 12
    assert number_of(None, b'{"id":"13","outputs":[]}') == 13
    with pytest.raises(msgspec.ValidationError):
        number_of(None, b"{}")


def test_every_peer_has_a_command(tmp_path: Path) -> None:
    job = Job("b:1", "in", "out", "group", tmp_path / "models", tmp_path)
    for name, some in command.PEERS.items():
        assert some.name == name
        words = [str(word) for word in some.command(Path("/env/bin/python"), job)]
        told = " ".join(words) + "".join(p.read_text() for p in tmp_path.glob("*.json"))
        assert "b:1" in told
        assert all("==" in requirement for requirement in some.requirements)
    assert [str(w) for w in QUIX.command(Path("p"), job)] == [
        "p", "-m", "benchmarks.peers.quix_streams", "b:1", "in", "out", "group",
        str(tmp_path / "models/digits/mlp/model.onnx"),
    ]  # fmt: skip


def test_an_environment_is_made_once_for_its_requirements(tmp_path: Path) -> None:
    ran: list[list[str]] = []

    def run(words: Sequence[str | Path]) -> None:
        ran.append([str(word) for word in words])
        (tmp_path / "a").mkdir(exist_ok=True)

    python = prepare(peer("a", "raw", "x==1"), tmp_path, run)
    assert python == tmp_path / "a" / "bin" / "python"
    assert [words[:3] for words in ran] == [
        [sys.executable, "-m", "venv"], [str(python), "-m", "pip"]
    ]  # fmt: skip
    assert "x==1" in ran[1]
    assert any(word.startswith("onnxruntime==") for word in ran[1])
    prepare(peer("a", "raw", "x==1"), tmp_path, run)
    assert len(ran) == 2
    prepare(peer("a", "raw", "x==2"), tmp_path, run)
    assert len(ran) == 4


def test_a_failed_installation_leaves_nothing(tmp_path: Path) -> None:
    def run(words: Sequence[str | Path]) -> None:
        (tmp_path / "a").mkdir(exist_ok=True)
        if "pip" in words:
            raise PeerUnavailableError("no such version")

    with pytest.raises(PeerUnavailableError, match="no such version"):
        prepare(peer("a", "raw", "x==1"), tmp_path, run)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("name", "code"), [("quix", 0), ("ounce", 1)])
def test_who_cannot_be_installed_is_named(
    name: str, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable(some: Peer) -> Path:
        raise PeerUnavailableError("no such version")

    (tmp_path / "digits").mkdir()
    (tmp_path / "digits" / "test-split.npz").touch()
    monkeypatch.setattr(command, "prepare", unavailable)
    result = CliRunner().invoke(command.main, [f"--peers={name}", f"--models={tmp_path}"])
    assert result.exit_code == code, result.output
    assert f"{name}: can't be installed and is left out: no such version" in result.output


def test_a_rate_is_one_that_it_can_sustain() -> None:
    assert sustainable(10_000, 4_000) == 4_000
    assert sustainable(1_604, 4_000) == 1_120


def test_latency_is_of_the_answers_and_lateness_of_all() -> None:
    sent_s = np.zeros(100)
    read_s = np.full(100, 0.010)
    assert steady_of(50.0, sent_s, read_s) == Steady(50.0, 1.0, 10.0, 10.0)
    read_s[:2] = 1.5
    read_s[2] = np.inf
    found = steady_of(50.0, sent_s, read_s)
    assert (found.prompt_share, found.kept_up, found.p50_ms) == (0.97, False, 10.0)
    nothing = steady_of(50.0, sent_s, np.full(100, np.inf))
    assert (nothing.prompt_share, nothing.kept_up) == (0.0, False)


def test_tables_tell_medians_ratios_and_who_kept_up() -> None:
    good, bad = Steady(4000.0, 1.0, 5.0, 9.0), Steady(700.0, 0.5, 50.0, 90.0)
    measured = [
        (peer("ounce"), [Round(30_000, good), Round(50_000, good), Round(40_000, good)]),
        (peer("slow"), [Round(1_000, bad), Round(1_200, good), Round(800, bad)]),
        (replace(peer("other", "json"), in_flight=256), [Round(10.0, bad)]),
    ]
    found = tables(measured, ["ounce"])
    assert found["peers-throughput"].note == (
        "Medians of 3 rounds in turn. other has 256 requests at a time under way, instead of a "
        "backlog."
    )
    assert found["peers-throughput"].rows == [
        ["Ounce", "raw", 40_000, "30,000 to 50,000", None],
        ["Slow", "raw", 1_000, "800 to 1,200", "40.0"],
        ["Other", "json", 10, "10 to 10", None],
    ]
    assert found["peers-latency"].rows == [
        ["Ounce", "raw", 4000, "5.0", "9.0", "3 of 3 rounds"],
        ["Slow", "raw", 700, "50.0", "90.0", "1 of 3 rounds"],
        ["Other", "json", 700, "50.0", "90.0", "0 of 1 rounds"],
    ]
