"""Services of compose.yaml find each other, own what they write to, and have settings that hold."""

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner
from ounce_edge.front.settings import HttpSettings
from ounce_edge.gateway.settings import GatewaySettings
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_schemas.command import make_settings, root
from ounce_services.control.settings import ControlSettings
from pydantic import SecretStr

REPOSITORY = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((REPOSITORY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
PROMETHEUS = yaml.safe_load((REPOSITORY / "services/prometheus/prometheus.yml").read_text())
BUILT = {name: service for name, service in SERVICES.items() if "build" in service}
SETTINGS = {
    ("worker",): WorkerSettings,
    ("gateway",): GatewaySettings,
    ("http",): HttpSettings,
    ("control", "serve"): ControlSettings,
}


def words_of(service: dict[str, Any]) -> list[str]:
    """All words of its command, also of one that runs in a shell."""
    return [word for part in service.get("command", []) for word in part.split()]


def serving_words(name: str) -> list[str]:
    """The command that goes on running."""
    service = SERVICES[name]
    if "entrypoint" not in service:
        return list(service["command"])
    found = re.search(r"\bexec ounce ([^&|;}]+)", service["command"][0])
    assert found is not None
    return shlex.split(found[1])


def options_of(words: list[str]) -> tuple[tuple[str, ...], dict[str, Any]]:
    """The path of a command, and its options."""
    command: click.Command = root
    context, path = click.Context(root, info_name="ounce"), list[str]()
    while isinstance(command, click.Group):
        found = command.get_command(context, words[len(path)])
        assert found is not None, words
        path.append(words[len(path)])
        command = found
    rest = words[len(path) :]
    return tuple(path), command.make_context(path[-1], rest, parent=context).params


def mounts(service: dict[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Volume or folder, place inside, whether it may be written to."""
    for volume in service.get("volumes", []):
        source, place, *mode = volume.split(":")
        yield source, place, mode != ["ro"]


@pytest.mark.parametrize("name", ["worker", "worker-gpu", "gateway", "http", "control"])
def test_settings_are_valid_together(name: str) -> None:
    path, options = options_of(serving_words(name))
    settings = make_settings(SETTINGS[path], options)
    assert settings.kafka == "kafka:9092"


@pytest.mark.parametrize("name", BUILT)
def test_what_the_environment_sets_is_a_setting(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        monkeypatch.setenv(variable, re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value))
        _, options = options_of(serving_words(name))
        found = options.get(variable.removeprefix("OUNCE_").lower())
        found = found.get_secret_value() if isinstance(found, SecretStr) else found
        assert found == os.environ[variable], f"no option reads {variable}"


def test_a_key_is_made_in_the_database_of_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the comment at the top of the file says."""
    text = (REPOSITORY / "compose.yaml").read_text()
    found = re.search(r"docker compose exec control ounce (.+)", text)
    assert found is not None
    monkeypatch.setenv("OUNCE_DATABASE_URL", "postgresql://ounce:x@127.0.0.1:1/ounce")
    path, options = options_of(found[1].split())
    assert (path, options["database_url"] is not None) == (("control", "key", "make"), True)
    away = CliRunner().invoke(root, found[1].split())
    assert away.exit_code != 0
    assert ":x@" not in away.output


def test_each_named_volume_is_declared_and_used() -> None:
    used = {source for s in SERVICES.values() for source, _, _ in mounts(s) if source[0] != "."}
    assert used == COMPOSE["volumes"].keys()


@pytest.mark.parametrize("name", BUILT)
def test_an_image_gives_a_volume_that_it_writes_to_its_own_user(name: str) -> None:
    dockerfile = (REPOSITORY / SERVICES[name]["build"]["dockerfile"]).read_text()
    made = " ".join(re.findall(r"install -d (.*)", dockerfile)).replace("\\", "").split()
    for source, place, writes in mounts(SERVICES[name]):
        if writes:
            assert place in made, f"{source}: a volume at {place} would belong to root"
            assert made.count("ounce") >= 2


def test_who_only_reads_a_volume_is_made_after_who_gives_it_an_owner() -> None:
    for name, service in BUILT.items():
        for source, _, writes in mounts(service):
            writers = [w for w, s in BUILT.items() for v, _, rw in mounts(s) if rw and v == source]
            if not writes:
                assert writers == ["trainer"], source
                assert "trainer" in all_before(name), name


def all_before(name: str) -> set[str]:
    """What a service depends on, however far."""
    direct = set(SERVICES[name].get("depends_on", ()))
    return direct.union(*map(all_before, direct))


def test_what_is_waited_for_comes() -> None:
    for name, service in SERVICES.items():
        before = service.get("depends_on", {})
        for other in before:
            condition = before[other]["condition"] if isinstance(before, dict) else "started"
            assert other in SERVICES, f"{name} waits for {other}"
            if condition == "service_healthy":
                assert "healthcheck" in SERVICES[other], f"{other} is never healthy"
            if condition == "service_completed_successfully":
                assert "restart" not in SERVICES[other], f"{other} does not end"


def test_services_name_each_other_and_ports_that_listen() -> None:
    kafka = SERVICES["kafka"]["environment"]
    inside = re.search(r"INSIDE://([^,]+)", kafka["KAFKA_ADVERTISED_LISTENERS"])
    assert inside is not None
    for service in BUILT.values():
        for word in words_of(service):
            for host, port in re.findall(r"\b([a-z]+):(\d{4})\b", word):
                assert host in SERVICES, word
                if host == "kafka":
                    assert f"{host}:{port}" == inside[1]
    assert f"listener {1883}" in (REPOSITORY / "services/mosquitto/mosquitto.conf").read_text()
    [job] = PROMETHEUS["alerting"]["alertmanagers"]
    assert job["static_configs"][0]["targets"] == ["alertmanager:9093"]


def test_prometheus_reads_every_worker_gateway_and_front() -> None:
    jobs = [each for job in PROMETHEUS["scrape_configs"] for each in job["dns_sd_configs"]]
    ports = {name: job["port"] for job in jobs for name in job["names"]}
    for name in ("worker", "worker-gpu", "gateway", "http"):
        own = SERVICES[name].get("networks", {}).get("default", {}).get("aliases", [])
        known = [ports[n] for n in (name, *own) if n in ports]
        _, options = options_of(serving_words(name))
        model = SETTINGS[name.removesuffix("-gpu"),]
        port = options["metrics_port"] or model.model_fields["metrics_port"].default
        assert known == [int(port)], name
        assert f":{port}/" in SERVICES[name]["healthcheck"]["test"][-1]


def test_ports_lead_to_this_machine_alone_and_collide_with_none() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)
    outside = [port.split(":")[1] for port in ports]
    assert len(set(outside)) == len(outside)
