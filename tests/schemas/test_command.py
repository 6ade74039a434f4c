"""The `ounce` command: lazy sub-commands, settings as options, errors as one line."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result
from ounce_schemas.command import (
    COMMANDS,
    grouped_command,
    make_settings,
    root,
    settings_options,
)
from pydantic import BaseModel, Field

OUNCE = Path(sys.executable).with_name("ounce")


def ounce(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([OUNCE, *arguments], capture_output=True, text=True, timeout=60)


def test_help_lists_every_command_without_importing_any() -> None:
    script = (
        "import sys; from ounce_schemas.command import root; "
        "root.main(['--help'], standalone_mode=False); "
        "sys.exit(', '.join(m for m in sys.modules if m.startswith('ounce_') "
        "and not m.startswith('ounce_schemas')) or 0)"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (result.returncode, result.stderr) == (0, "")
    assert all(f"  {name} " in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = CliRunner().invoke(root, [name, "--help"])
    assert result.exit_code == 0, result.output
    assert re.search(rf"Examples?: ounce {name}", " ".join(result.output.split()))


def test_a_wrong_command_is_one_line_and_exit_code_2() -> None:
    result = ounce("tarin")
    assert result.returncode == 2
    assert result.stderr.startswith("ounce: No such command 'tarin'")
    assert "Traceback" not in result.stderr


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "worker", ("package_that_is_absent", "edge", "text"))
    result = CliRunner().invoke(root, ["worker"])
    assert result.exit_code == 1
    assert "needs the package 'package_that_is_absent'" in result.output
    assert 'pip install "ounce[edge]"' in result.output


def test_the_extra_of_the_control_plane_is_named_for_what_its_forms_need(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "python_multipart", None)
    result = CliRunner().invoke(root, ["control", "serve", "--kafka", "127.0.0.1:1"])
    assert result.exit_code == 1
    assert "needs the package 'python_multipart'" in result.output
    assert 'pip install "ounce[control]"' in result.output


WRONG = [
    ("--data", "absent.csv", "--target", "y"),
    (".", "--data", "absent.csv"),
    ("--data", ".", "--columns", "a"),
    ("--data", ".", "--task", "A b"),
]
SCRIPT = """
import json, sys
from ounce_schemas.command import main
told = []
for words in json.loads(sys.argv.pop()):
    sys.argv[2:] = words
    try:
        main()
    except SystemExit as end:
        told.append([end.code, [name for name in {slow} if name in sys.modules]])
print()
print(json.dumps(told))
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_wrong_options_import_nothing_that_takes_seconds(name: str) -> None:
    slow = ["torch", "sklearn", "scipy", "pandas", "pyarrow", "skl2onnx"]
    if COMMANDS[name][1] != "edge":
        slow.append("onnxruntime")
    wrong = [["--no-such-option"], *(WRONG if name in ("train", "advise") else [])]
    script = SCRIPT.replace("{slow}", repr(slow))
    asked = json.dumps([["--help"], *wrong])
    told = subprocess.run(
        [sys.executable, "-c", script, name, asked], capture_output=True, text=True
    )
    assert "Traceback" not in told.stderr
    [(code, imported), *others] = json.loads(told.stdout.splitlines()[-1])
    assert (code, imported) == (0, [])
    assert len(others) == len(wrong)
    for words, (code, imported) in zip(wrong, others, strict=True):
        assert code in (1, 2), words
        assert imported == [], words


def run_without(module: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Run a command of the extra `exporters` that imports a module which is not there."""

    @click.command()
    def lacking() -> None:
        importlib.import_module(module)

    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, "module_of_a_test", SimpleNamespace(command=lacking))
    monkeypatch.setitem(COMMANDS, "train", ("module_of_a_test", "exporters", "text"))
    return CliRunner().invoke(root, ["train"])


def test_a_package_that_a_running_command_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_without("package_that_is_absent", monkeypatch)
    assert result.exit_code == 1
    assert "`ounce train` needs the package 'package_that_is_absent'" in result.output
    assert 'pip install "ounce[exporters]"' in result.output


def test_a_module_of_ours_that_is_missing_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run_without("ounce_edge.absent", monkeypatch)
    assert isinstance(result.exception, ModuleNotFoundError)


def test_a_python_without_one_of_its_own_modules_is_told_so() -> None:
    script = (
        "import sys; sys.modules['_sqlite3'] = None\nfrom ounce_schemas.command import main; main()"
    )
    words = ["gateway", "--task=a", "--kafka=x:1", "--mqtt=mqtt://x:1", "--map=a/+device/+task"]
    told = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (
        1,
        f"ounce: `ounce gateway` needs Python's module '_sqlite3', and {sys.executable} was built "
        "without it: install Ounce in another Python, such as your distribution's\n",
    )


def test_help_needs_no_module_of_unix() -> None:
    script = (
        "import sys; sys.modules['fcntl'] = None\nfrom ounce_schemas.command import main; main()"
    )
    helped = subprocess.run(
        [sys.executable, "-c", script, "--help"], capture_output=True, text=True
    )
    assert (helped.returncode, helped.stderr) == (0, "")


def test_windows_without_a_module_of_unix_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    result = run_without("fcntl", monkeypatch)
    assert result.exit_code == 1
    assert "`ounce train` needs Linux or macOS: this system has no 'fcntl'" in result.output
    assert "On Windows run it in WSL2 or in a container" in result.output


class Settings(BaseModel):
    tasks: tuple[str, ...] = Field(min_length=1, description="Tasks")
    port: int = Field(default=80, ge=0, le=65535, description="Port")
    folder: Path = Field(default=Path("models"), description="Folder")
    dry: bool = Field(default=False, description="Dry")
    sure: bool | None = Field(default=None, description="Sure; default: found out")


@click.command(cls=grouped_command({"Where": ("port", "folder")}))
@settings_options(Settings)
def show(**options: object) -> None:
    click.echo(repr(make_settings(Settings, dict(options))))


def test_settings_come_from_options_and_from_the_environment() -> None:
    result = CliRunner().invoke(show, ["--tasks", "a", "--tasks", "b", "--dry"])
    assert "tasks=('a', 'b'), port=80" in result.output
    assert "dry=True" in result.output
    environment = {"OUNCE_TASKS": "a b", "OUNCE_PORT": "81", "OUNCE_DRY": "1"}
    result = CliRunner().invoke(show, [], env=environment)
    assert "tasks=('a', 'b'), port=81" in result.output
    assert "dry=True" in result.output
    result = CliRunner().invoke(show, ["--port", "82"], env=environment)
    assert "port=82" in result.output


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "Missing option '--tasks'"),
        (["--tasks", "a", "--port", "99999"], "port: Input should be less than or equal to 65535"),
        (["--tasks", "a", "--port", "x"], "(given: 'x')"),
        (["--tasks", "a", "--port", "http://me:secret@host"], "(given: 'http://***@host')"),
    ],
)
def test_wrong_settings_are_usage_errors(arguments: list[str], text: str) -> None:
    result = CliRunner().invoke(show, arguments)
    assert result.exit_code == 2
    assert text in result.output


@pytest.mark.parametrize(("flag", "value"), [("--sure", True), ("--no-sure", False), (None, None)])
def test_a_flag_may_be_left_unsaid(flag: str | None, value: bool | None) -> None:
    result = CliRunner().invoke(show, ["--tasks", "a", *([flag] if flag else [])])
    assert f"sure={value}" in result.output


def test_help_shows_options_under_their_headings() -> None:
    others, where = CliRunner().invoke(show, ["--help"]).output.split("\nWhere:\n")
    assert "--tasks" in others
    assert "--help" in others
    assert re.findall(r"^  (--\w+)", where, re.MULTILINE) == ["--port", "--folder"]
