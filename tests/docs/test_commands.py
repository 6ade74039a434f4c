"""Every command in the pages exists, with every option; cheap ones are run."""

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from ounce_edge.models.first_beliefs import card_belief
from ounce_schemas.command import root
from ounce_schemas.command_list import COMMANDS

from tests.docs.pages import DOCS, README, ROOT, Found, commands, fences, names, spans
from tests.support.edge.ladders import DIGITS, ladder, served

OUNCE = [*commands("ounce")]
MAKE = [*commands("make")]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    """The sub-command that the words name, and the words behind it."""
    command: click.Command = root
    context = click.Context(root)
    while words and isinstance(command, click.Group) and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        assert found is not None, f"no such command: {words[0]}"
        command, words = found, words[1:]
    return command, words


def test_the_pages_show_commands() -> None:
    assert len(OUNCE) > 20
    assert {found.text for found in MAKE} >= {"make demo", "make test"}


@pytest.mark.parametrize("found", OUNCE, ids=str)
def test_a_command_is_one_that_ounce_takes(
    found: Found, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, *words = shlex.split(found.text)
    monkeypatch.chdir(tmp_path)
    for word in words:
        if Path(word).suffix in {".csv", ".json", ".yaml"}:
            (tmp_path / word).touch()
    command, rest = resolve(words)
    if "--help" not in rest:
        command.make_context(command.name, rest)  # raises for what it does not take


@pytest.mark.parametrize("found", MAKE, ids=str)
def test_a_target_is_one_of_the_makefile(found: Found) -> None:
    for word in shlex.split(found.text)[1:]:
        assert_in_makefile(word)


def assert_in_makefile(word: str) -> None:
    variable, is_set, _ = word.partition("=")
    if is_set:
        assert f"$({variable})" in MAKEFILE or f"$(if $({variable})" in MAKEFILE, word
    else:
        assert re.search(rf"^{re.escape(word)}:.*## ", MAKEFILE, re.MULTILINE), word


def test_commands_in_the_text_exist() -> None:
    seen = 0
    for found in spans():
        program, *words = found.text.split()
        if program == "make" and words:
            for word in words:
                assert_in_makefile(word)
        elif program == "ounce" and words:
            command, rest = resolve(words)
            known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
            unknown = {w for w in rest if w.startswith("--")} - known - {"--help"}
            assert not unknown, f"{found}: {unknown}"
        elif program == "python" and words[0] == "-m":
            assert importlib.util.find_spec(words[1]), str(found)
        else:
            continue
        seen += 1
    assert seen > 20


def test_every_command_is_in_the_table() -> None:
    shown = names(DOCS / "get-started.md", "Command")
    assert sorted(shown) == sorted(f"ounce {name}" for name in COMMANDS)


def test_every_target_is_explained() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE)) - {"help"}
    explained = {n.split()[1] for n in names(DOCS / "development.md", "Command")}
    explained |= {w for f in MAKE if f.page == README for w in f.text.split()[1:]}
    assert explained == targets


@pytest.mark.parametrize("command", ["ounce --help", "ounce contracts --check"])
def test_what_is_cheap_runs(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert command in {found.text for found in OUNCE}
    monkeypatch.chdir(ROOT)
    result = CliRunner().invoke(root, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output


def test_explain_prints_a_table_as_the_page_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    models = [served(DIGITS, name, accuracy=a) for name, a in (("light", 0.9), ("mlp", 0.99))]
    monkeypatch.setattr(
        "ounce_edge.evidence.explain.load_ladder", lambda *_: ladder(DIGITS, *models)
    )
    monkeypatch.setattr(
        "ounce_edge.evidence.explain.measured_belief", lambda model: card_belief(model.card)
    )
    command = next(f.text for f in OUNCE if f.page.stem == "decision" and "--max-lat" in f.text)
    result = CliRunner().invoke(root, shlex.split(command)[1:])
    assert result.exit_code == 0, result.output
    shown = next(f.text for f in fences("console") if command in f.text).splitlines()
    heading, answer = shown[1].split(), next(line for line in shown if line.startswith("->"))
    assert heading in [line.split() for line in result.output.splitlines()]
    printed = [line.split() for line in result.output.splitlines() if line.startswith("->")]
    assert [(words[0], words[1], words[-1]) for words in printed] == [
        (answer.split()[0], answer.split()[1], answer.split()[-1])
    ]
