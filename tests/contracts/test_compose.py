"""compose.yaml and the Dockerfiles name commands, files and images that exist."""

import re
import shlex
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_schemas import __version__
from ounce_schemas.command import root

REPOSITORY = Path(__file__).parents[2]
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())[
    "services"
]
MAX_POLL_INTERVAL_S = 300.0
"""Of librdkafka: a consumer that does not poll for so long loses its partitions."""
DOCKERFILES = sorted(
    path for pattern in ("*/Dockerfile", "*/*/Dockerfile") for path in REPOSITORY.glob(pattern)
)


def ounce_commands() -> list[list[str]]:
    """Arguments of every `ounce` in the file, whether it is the entry point or runs in a shell."""
    found = []
    for service in SERVICES.values():
        if "build" not in service:
            continue
        if "entrypoint" in service:
            (script,) = service["command"]
            found += [shlex.split(part) for part in re.findall(r"\bounce ([^&|;}]+)", script)]
        else:
            found.append(service["command"])
    return found


@pytest.mark.parametrize("arguments", ounce_commands(), ids=" ".join)
def test_every_command_parses(arguments: list[str]) -> None:
    context = click.Context(root, info_name="ounce")
    command = root.get_command(context, arguments[0])
    assert command is not None, f"ounce has no command {arguments[0]!r}"
    command.make_context(arguments[0], arguments[1:], parent=context)


def test_a_wrong_option_would_be_seen() -> None:
    context = click.Context(root, info_name="ounce")
    command = root.get_command(context, "topics")
    assert command is not None
    with pytest.raises(click.NoSuchOption):
        command.make_context("topics", ["digits", "--kafka=k:9092", "--partition=4"])


@pytest.mark.parametrize("name", ["worker", "worker-gpu"])
def test_a_worker_is_asked_to_end_and_has_time_to_drain_before_it_is_killed(name: str) -> None:
    worker = SERVICES[name]
    assert "entrypoint" not in worker  # a shell would keep the signal from it
    context = click.Context(root, info_name="ounce")
    command = root.get_command(context, "worker")
    assert command is not None
    options = command.make_context("worker", worker["command"][1:], parent=context).params
    drain_s = float(options["drain_s"] or WorkerSettings.model_fields["drain_s"].default)
    grace_s = float(worker["stop_grace_period"].removesuffix("s"))
    assert drain_s + 10 <= grace_s
    assert drain_s + 10 < MAX_POLL_INTERVAL_S


def test_every_image_is_pinned() -> None:
    for name, service in SERVICES.items():
        _, _, tag = service["image"].partition(":")
        assert re.search(r"\d+\.\d+", tag), f"{name}: {service['image']}"
        if "build" in service:
            assert tag == __version__, f"{name}: {service['image']}"


def test_every_mounted_file_exists() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (REPOSITORY / source).exists(), source


def test_every_dockerfile_is_built() -> None:
    built = {service["build"]["dockerfile"] for service in SERVICES.values() if "build" in service}
    assert built == {str(path.relative_to(REPOSITORY)) for path in DOCKERFILES}


@pytest.mark.parametrize("dockerfile", DOCKERFILES, ids=lambda path: path.parent.name)
def test_dockerfile_copies_what_exists_and_runs_as_a_user(dockerfile: Path) -> None:
    instructions = dockerfile.read_text().replace("\\\n", " ").splitlines()
    users = [line.split()[1] for line in instructions if line.startswith("USER ")]
    assert users == ["ounce"]
    ignored = (REPOSITORY / ".dockerignore").read_text().splitlines()
    copies = [line.split()[1:] for line in instructions if line.startswith("COPY ")]
    sources = [source for words in copies if "--from=build" not in words for source in words[:-1]]
    assert sources
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        assert f"!{source}" in ignored, f".dockerignore leaves {source} out"


def test_only_the_trainer_installs_torch() -> None:
    extras = {
        path.parent.name: re.findall(r'"\.\[([\w,${}]+)\]"', path.read_text())
        for path in DOCKERFILES
    }
    assert extras == {
        "edge": ["edge,http,images,registry,s3,signing,tracing"],
        "exporters": ["exporters"],
        "gpu": ["${GPU},http,images,registry,s3,signing,tracing"],  # what the edge can, and the GPU
        "services": ["control"],
    }


def test_the_worker_with_a_gpu_starts_only_where_it_is_asked_for() -> None:
    worker = SERVICES["worker-gpu"]
    assert worker["profiles"] == ["gpu"]
    [device] = worker["deploy"]["resources"]["reservations"]["devices"]
    assert (device["driver"], device["capabilities"]) == ("nvidia", ["gpu"])
