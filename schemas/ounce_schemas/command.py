"""The `ounce` command: names every component's sub-commands and loads one only when it is used."""

import importlib
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from click.core import ParameterSource
from pydantic import BaseModel, SecretStr, ValidationError

from ounce_schemas import __version__
from ounce_schemas.command_list import COMMANDS
from ounce_schemas.errors import OunceError
from ounce_schemas.names import TOPICS_VARIABLE
from ounce_schemas.refusals import describe

F = TypeVar("F", bound=Callable[..., Any])


class LazyGroup(click.Group):
    """Lists every sub-command without importing any; imports the one that runs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names."""
        return list(COMMANDS)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Help that needs no import."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, _, text) in COMMANDS.items()])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one command."""
        if cmd_name not in COMMANDS:
            return None
        try:
            command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        except ModuleNotFoundError as e:
            raise _explained(cmd_name, e) from e
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command, which may import more."""
        try:
            return super().invoke(ctx)
        except ModuleNotFoundError as e:
            raise _explained(str(ctx.invoked_subcommand), e) from e


def _explained(name: str, missing: ModuleNotFoundError) -> Exception:
    """What to do where a command lacks a module; a module of ours is a fault, and stays one."""
    module = missing.name
    if module is None or module.startswith("ounce_"):
        return missing
    if module not in sys.stdlib_module_names:
        extra = COMMANDS[name][1]
        return click.ClickException(
            f"`ounce {name}` needs the package {module!r}: install it with pip install "
            f'"ounce[{extra}]"'
        )
    if sys.platform == "win32":
        return click.ClickException(
            f"`ounce {name}` needs Linux or macOS: this system has no {module!r}. "
            "On Windows run it in WSL2 or in a container"
        )
    return click.ClickException(
        f"`ounce {name}` needs Python's module {module!r}, and {sys.executable} was built without "
        "it: install Ounce in another Python, such as your distribution's"
    )


def _name_topics(ctx: click.Context, option: click.Parameter, path: str | None) -> None:
    """Put the names in force before a command is loaded, here and in processes that it starts."""
    if path:
        os.environ[TOPICS_VARIABLE] = str(Path(path).resolve())  # they may run in another folder
        importlib.import_module("ounce_schemas.topics").topic_names()


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="ounce")
@click.option(
    "--topics",
    metavar="PATH",
    envvar=TOPICS_VARIABLE,
    show_envvar=True,
    is_eager=True,
    expose_value=False,
    callback=_name_topics,
    help="File that says what the topics are called, see the page on requests and answers",
)
def root() -> None:
    """Answer every message with the lightest model that meets its deadline and accuracy floor.

    Example: ounce train digits && ounce demo
    """


_METAVARS = {"Path": "PATH", "int": "INTEGER", "float": "NUMBER"}


class _Secret(click.Option):
    """Comes from the environment alone: others on the machine can read command lines."""

    def consume_value(
        self, ctx: click.Context, opts: Mapping[str, Any]
    ) -> tuple[Any, ParameterSource]:
        """Its value, never one of the command line."""
        value, source = super().consume_value(ctx, opts)
        if source is ParameterSource.COMMANDLINE:
            raise click.UsageError(
                f"{self.opts[0]}: others on this machine can read command lines; set "
                f"{self.envvar}, or name a file with {self.opts[0]}-file",
                ctx,
            )
        return value, source

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        """The variable, where others show their option."""
        return str(self.envvar), f"{self.help}; only in the environment, or in a file"


def settings_options(settings: type[BaseModel]) -> Callable[[F], F]:
    """Make one option of each field of `settings`; OUNCE_<FIELD> sets it too.

    The field's default, description and constraints are the option's. A tuple field becomes an
    option that can be repeated (in the environment: separated by spaces), a bool a pair of flags.
    A secret has no option, only its variable. Inherited fields come last in the help.
    The command function then gets its values by name and hands them to `make_settings`.
    """

    def decorate(function: F) -> F:
        inherited = {name for base in settings.__mro__[1:] for name in _fields(base)}
        fields = sorted(settings.model_fields.items(), key=lambda item: item[0] in inherited)
        for name, field in reversed(fields):
            kind = str(field.annotation)
            is_flag = field.annotation in (bool, bool | None)
            option = name.rstrip("_").replace("_", "-")  # as in `from_`: the word is Python's
            is_secret = SecretStr in (field.annotation, *get_args(field.annotation))
            details: dict[str, Any] = {"type": bool if is_flag else SecretStr if is_secret else str}
            if field.is_required():
                details["required"] = True
            else:
                details["default"] = field.default
                details["show_default"] = field.default not in (None, (), "")
            if not is_flag:
                details["multiple"] = kind.startswith("tuple[")
                details["metavar"] = _choices(field.annotation) or next(
                    (m for k, m in _METAVARS.items() if k in kind), "TEXT"
                )
            function = click.option(
                f"--{option}/--no-{option}" if is_flag else f"--{option}",
                name,
                envvar=f"OUNCE_{name.rstrip('_').upper()}",
                show_envvar=True,
                help=field.description,
                cls=_Secret if is_secret else None,
                **details,
            )(function)
        return function

    return decorate


def grouped_command(groups: Mapping[str, Sequence[str]]) -> type[click.Command]:
    """A command whose help shows its options under headings.

    Args:
        groups: names of options by heading, in order; others come first, under "Options".
    """

    class Grouped(click.Command):
        def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
            options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
            records = {option.name: option.get_help_record(ctx) for option in options}
            grouped = {name for names in groups.values() for name in names}
            others = [name for name in records if name not in grouped]
            for heading, names in {"Options": others, **groups}.items():
                shown = [record for name in names if (record := records[name]) is not None]
                with formatter.section(heading):
                    formatter.write_dl(shown)

    return Grouped


def _fields(settings: type) -> Mapping[str, Any]:
    return settings.model_fields if issubclass(settings, BaseModel) else {}


def _choices(annotation: Any) -> str | None:
    """The values of a literal, or of one that may be absent."""
    for kind in (annotation, *get_args(annotation)):
        if get_origin(kind) is Literal:
            return "|".join(map(str, get_args(kind)))
    return None


S = TypeVar("S", bound=BaseModel)


def make_settings(settings: type[S], values: dict[str, Any]) -> S:
    """Validate option values.

    Raises:
        click.UsageError: naming each option that is wrong, its value and why.
    """
    try:
        return settings.model_validate(values)
    except ValidationError as e:
        raise click.UsageError(describe(e)) from e


def main() -> None:
    """Entry point: errors are one line on standard error and a non-zero exit code."""
    try:
        code = root.main(prog_name="ounce", standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except click.exceptions.NoArgsIsHelpError as e:
        click.echo(e.ctx.get_help() if e.ctx else "", err=True)
        sys.exit(2)
    except click.ClickException as e:
        text = e.format_message()
        if isinstance(e, click.MissingParameter):  # it lists choices a line each
            text = " ".join(text.split())
        click.echo(f"ounce: {text}", err=True)
        if isinstance(e, click.UsageError) and e.ctx is not None:
            click.echo(f"See `{e.ctx.command_path} --help`.", err=True)
        sys.exit(e.exit_code)
    except click.exceptions.Abort:
        click.echo("ounce: interrupted", err=True)
        sys.exit(130)
    except OunceError as e:
        click.echo(f"ounce: {e}", err=True)
        sys.exit(e.exit_code)
