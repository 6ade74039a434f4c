"""`ounce train --keep-lighter` is for whole ladders of tasks that ship."""

import click
import pytest
from click.testing import CliRunner
from ounce_exporters.command import command


@pytest.mark.parametrize("words", [["digits", "--quick"], ["digits", "--time-limit", "9"]])
def test_keeping_lighter_forms_needs_a_whole_ladder(words: list[str]) -> None:
    with CliRunner().isolation():
        context = command.make_context("train", [*words, "--keep-lighter"])
        with pytest.raises(click.UsageError, match="--keep-lighter is for whole ladders"):
            command.invoke(context)
