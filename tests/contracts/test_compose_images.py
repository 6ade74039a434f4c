"""Images of compose.yaml hold what their commands need, and say rightly how they are used."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from functools import cache

import click
import pytest
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_schemas.command import root
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.contracts.test_compose_services import BUILT, REPOSITORY, mounts, words_of

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
DOCKERFILES = sorted({service["build"]["dockerfile"] for service in BUILT.values()})
IMPORTS = """
import importlib, json, pkgutil, sys

class Absent:
    def __init__(self, names):
        self.names = set(names)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.names:
            raise ModuleNotFoundError(f"{name} is not in the image", name=name)

packages, absent = map(json.loads, sys.argv[1:])
sys.meta_path.insert(0, Absent(absent))
for name in packages:
    package = importlib.import_module(name)
    for each in pkgutil.walk_packages(package.__path__, f"{name}."):
        if ".migrations." not in each.name:  # they run where the tables are made
            importlib.import_module(each.name)
"""
"""Imports all modules of some packages where others are not installed."""
SERVICES_IMAGE = [
    "ounce_services.topics", "ounce_services.devices", "ounce_services.control",
    "ounce_services.policies",
]  # fmt: skip
EDGE_IMAGE = [
    "ounce_edge.worker", "ounce_edge.gateway", "ounce_edge.front", "ounce_edge.pipeline",
    "ounce_edge.broker",
]  # fmt: skip


def text_of(dockerfile: str) -> str:
    text = (REPOSITORY / dockerfile).read_text().replace("\\\n", " ")
    for name, default in re.findall(r"^ARG (\w+)=(\S+)$", text, re.MULTILINE):
        text = text.replace(f"${{{name}}}", default)
    return text


def extras_of(dockerfile: str) -> list[str]:
    [words] = re.findall(r'"\.\[([\w,]+)\]"', text_of(dockerfile))
    return str(words).split(",")


def command_of(dockerfile: str, instruction: str) -> list[str]:
    [line] = re.findall(rf"^{instruction} (\[.*\])$", text_of(dockerfile), re.MULTILINE)
    return list(json.loads(line))


@cache
def distributions(requirement: str) -> frozenset[str]:
    """All that is installed with a requirement, by canonical name."""
    wanted = Requirement(requirement)
    name = canonicalize_name(wanted.name)
    lines = (
        [*PROJECT["dependencies"], *(line for extra in wanted.extras for line in EXTRAS[extra])]
        if name == "ounce"
        else importlib.metadata.requires(name) or []
    )
    found = {name}
    for line in lines:
        each = Requirement(line)
        fits = [
            each.marker is None or each.marker.evaluate({"extra": extra})
            for extra in (wanted.extras or {""})
        ]
        if any(fits):
            each.marker = None
            found |= distributions(str(each))
    return frozenset(found)


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_what_is_installed_is_what_the_package_offers(dockerfile: str) -> None:
    assert set(extras_of(dockerfile)) <= EXTRAS.keys()


@pytest.mark.parametrize("extra", ["gpu", "gpu-cuda12"])
def test_the_constraints_of_the_image_with_a_gpu_leave_each_cuda_its_packages(extra: str) -> None:
    assert extra in text_of("edge/gpu/Dockerfile")
    [left_out] = re.findall(r'grep -v "(\S+)" constraints.txt', text_of("edge/gpu/Dockerfile"))
    lines = (REPOSITORY / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if line and not line.startswith("#")]
    kept = {pin.name: pin for pin in pins if not re.match(left_out, str(pin))}
    for wanted in map(Requirement, EXTRAS[extra]):
        if wanted.name in kept:
            [pin] = kept[wanted.name].specifier
            assert wanted.specifier.contains(pin.version), wanted
    assert kept


@pytest.mark.parametrize(
    ("dockerfile", "packages"),
    [("services/Dockerfile", SERVICES_IMAGE), ("edge/Dockerfile", EDGE_IMAGE)],
)
def test_what_the_commands_of_an_image_import_is_installed_there(
    dockerfile: str, packages: list[str]
) -> None:
    there = distributions(f"ounce[{','.join(extras_of(dockerfile))}]")
    known = importlib.metadata.packages_distributions()
    absent = [
        module
        for module, owners in known.items()
        if there.isdisjoint(map(canonicalize_name, owners))
    ]
    assert {"torch", "sklearn"} <= set(absent)
    words = [json.dumps(packages), json.dumps(absent)]
    done = subprocess.run([sys.executable, "-c", IMPORTS, *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("dockerfile", DOCKERFILES)
def test_an_image_without_arguments_runs_a_command(
    dockerfile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in ("OUNCE_TASK", "OUNCE_KAFKA"):  # as the files say, options may come from there
        monkeypatch.setenv(variable, "x")
    assert command_of(dockerfile, "ENTRYPOINT") == ["ounce"]
    command: click.Command = root
    arguments = command_of(dockerfile, "CMD")
    context = click.Context(root, info_name="ounce")
    while isinstance(command, click.Group) and not arguments[0].startswith("-"):
        found = command.get_command(context, arguments.pop(0))
        assert found is not None
        command = found
    if arguments == ["--help"]:
        assert command.get_help(context)
    else:
        command.make_context(command.name, arguments, parent=context)


@pytest.mark.parametrize("dockerfile", ["edge/Dockerfile", "edge/gpu/Dockerfile"])
def test_an_image_asks_the_worker_where_it_answers(dockerfile: str) -> None:
    [words] = re.findall(r"^HEALTHCHECK .*CMD (\[.*\])$", text_of(dockerfile), re.MULTILINE)
    program, option, script = json.loads(words)
    assert (program, option) == ("python", "-c")
    compile(script, "HEALTHCHECK", "exec")
    port = WorkerSettings.model_fields["metrics_port"].default
    assert f"http://127.0.0.1:{port}/healthz" in script
    assert str(port) in re.findall(r"^EXPOSE (.+)$", text_of(dockerfile), re.MULTILINE)[0].split()


@pytest.mark.parametrize("name", BUILT)
def test_what_is_mounted_is_used(name: str) -> None:
    service = BUILT[name]
    words = [*words_of(service), *service.get("environment", {}).values()]
    for source, place, _ in mounts(service):
        assert any(re.search(rf"(^|=){place}\b", word) for word in words), f"{source} at {place}"


@pytest.mark.parametrize("name", [n for n, s in BUILT.items() if "healthcheck" in s])
def test_a_health_check_is_a_program_of_the_image(name: str) -> None:
    shape, program, option, script = BUILT[name]["healthcheck"]["test"]
    assert (shape, program, option) == ("CMD", "python", "-c")
    compile(script, "healthcheck", "exec")
    path = re.findall(r"^ENV PATH=(\S+)", text_of(BUILT[name]["build"]["dockerfile"]), re.MULTILINE)
    assert path == ["/opt/ounce/bin:$PATH"]
