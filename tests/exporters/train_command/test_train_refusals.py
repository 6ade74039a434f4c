"""`ounce train` says in one clear line what is wrong."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.support.process.command import Result, Run


def table_file(folder: Path, **columns: object) -> Path:
    path = folder / "table.csv"
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


N = 60
X = np.arange(N) % 7


def wrong_table(folder: Path, case: str) -> tuple[Path, str]:
    """A file with one fault, and the text that must name it."""
    match case:
        case "missing":
            return folder / "none.csv", "none.csv: can't be read: No such file or directory"
        case "too-long":
            return folder / f"{'n' * 300}.csv", ".csv: can't be read: File name too long"
        case "empty":
            (folder / "e.csv").write_bytes(b"")
            return folder / "e.csv", "e.csv is empty"
        case "header-only":
            (folder / "h.csv").write_text("x,y\n")
            return folder / "h.csv", "h.csv has a header and no rows"
        case "not-text":
            (folder / "b.csv").write_bytes(bytes(range(128, 256)))
            return folder / "b.csv", "b.csv: not a text file in cp1252"
        case "uneven":
            (folder / "u.csv").write_text("x,y\n1,2\n1,2,3,4\n")
            return folder / "u.csv", "u.csv: line 3 has 4 values where the table has 2"
        case "bad-parquet":
            (folder / "p.parquet").write_bytes(b"PAR1 and then nothing of the kind")
            return folder / "p.parquet", "p.parquet: not a Parquet file"
        case "unknown-kind":
            (folder / "t.xlsx").write_bytes(b"PK")
            return folder / "t.xlsx", "unknown kind of file '.xlsx'"
        case "no-target":
            return table_file(folder, x=X, z=X), "there is no column 'y': the table has x, z"
        case "constant-target":
            return table_file(folder, x=X, y=["on"] * N), "target 'y' is on in every row"
        case "few-rows":
            return table_file(folder, x=X[:9], y=X[:9] % 2), "has 9 rows: at least 40"
        case "one-member":
            y = ["a"] * (N - 1) + ["b"]
            return table_file(folder, x=X, y=y), "class 'b' has 1 row "
        case "nothing-to-learn-from":
            return table_file(folder, y=X % 2), "no column is left to predict 'y' from"
    raise AssertionError(case)


@pytest.mark.parametrize(
    "case",
    [
        "missing",
        "too-long",
        "empty",
        "header-only",
        "not-text",
        "uneven",
        "bad-parquet",
        "unknown-kind",
        "no-target",
        "constant-target",
        "few-rows",
        "one-member",
        "nothing-to-learn-from",
    ],
)
def test_a_bad_table_is_one_line_and_a_non_zero_exit(train: Run, case: str, tmp_path: Path) -> None:
    path, text = wrong_table(tmp_path, case)
    check_refused(train("--data", path, "--target", "y", "--models", tmp_path / "m"), text)
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "name a task (digits, bearing, pump, tickets), or give --data FILE --target COLUMN"),
        (["digit"], "unknown task 'digit': choose one of digits, bearing"),
        (["digits", "--only", "cnn"], "--only cnn: no such model; one of decision-tree, "),
        (["digits", "--seed", "soon"], "seed: Input should be a valid integer"),
        (["digits", "--task", "bearing"], "TASK is 'digits' and --task 'bearing'"),
        (["digits", "--target", "y"], "--target: of a table, so --data FILE is needed, too"),
        (["digits", "--unit", "y"], "--unit: of a table, so --data FILE is needed, too"),
        (["--data", "t.csv", "--target", "y", "--sep", ",,"], "--sep ',,': give one character"),
        (["--data", "t.csv", "--target", "y", "--columns", "a"], "--columns 'a': give NAME=KIND"),
        (["--data", "t.csv"], "--data needs --target COLUMN"),
        (["--data", "t.csv", "--quick"], "--quick is for the tasks that ship, not for --data"),
        (["digits", "--data", "t.csv", "--target", "y"], "name the table's task with --task"),
        (["--data", "t.csv", "--target", "y", "--task", "digits"], "'digits' is a task that ships"),
        (["--data", "t.csv", "--target", "y", "--task", "A b"], "task name 'A b': use lower-case"),
        (["--data", "t.csv", "--target", "y", "--tolerance", "-1"], "tolerance: Input should be"),
    ],
)
def test_a_wrong_command_line_is_named(train: Run, arguments: list[str], text: str) -> None:
    check_refused(train(*arguments), text)


def test_a_tolerance_makes_no_sense_for_classes(train: Run, rooms: Path, tmp_path: Path) -> None:
    result = train("--data", rooms, "--target", "busy", "--tolerance", "1", "--models", tmp_path)
    check_refused(result, "--tolerance is for quantities: target 'busy' has the classes no, yes")


def test_options_of_another_kind_are_refused(train: Run, rooms: Path, tmp_path: Path) -> None:
    strange = ("--data", rooms, "--kind", "anomaly", "--models", tmp_path)
    result = train(*strange, "--tolerance", "1")
    check_refused(result, "--tolerance is for quantities, not for --kind anomaly")
    kinds = (("anomaly", ("--false-alarms", "0.2")), ("clusters", ("--clusters", "2")))
    for kind, options in (*kinds, ("regression", ("--target", "n"))):
        table = tmp_path / "t.csv"
        x = X + 50 * (np.arange(N) % 2)
        pd.DataFrame({"x": x, "n": x * 2.5 + np.arange(N) / 9}).to_csv(table, index=False)
        weighed = ("--class-weights", "balanced", "--models", tmp_path)
        result = train("--data", table, "--kind", kind, *options, *weighed)
        assert f"--class-weights is for classes: the task is of kind {kind}" in result.stderr
        assert result.code == 1


def test_a_models_folder_that_can_not_be_written_is_named(
    train: Run, rooms: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    result = train("--data", rooms, "--target", "busy", "--models", tmp_path / "file")
    check_refused(result, "can't be written: Not a directory")


def check_refused(result: Result, text: str) -> None:
    assert result.code != 0
    first = result.stderr.splitlines()[0]
    assert first.startswith("ounce: ")
    assert text in first
    assert "Traceback" not in result.stderr


def test_the_installed_command_ends_with_the_same_line() -> None:
    ounce = Path(sys.executable).with_name("ounce")
    result = subprocess.run(
        [ounce, "train", "digit"], capture_output=True, text=True, timeout=100, check=False
    )
    assert result.returncode == 1
    assert result.stderr.startswith("ounce: unknown task 'digit': choose one of digits, bearing")
    assert len(result.stderr.splitlines()) == 1
