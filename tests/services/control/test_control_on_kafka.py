"""The control plane on a real Kafka: killed between database and topic, and beside the command."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest
from click.testing import CliRunner
from ounce_schemas.policy_history import Change
from ounce_schemas.topics import canaries_topic, policies_topic
from ounce_services.control.access.keys import Keys
from ounce_services.control.access.principal import EVERYBODY, Role
from ounce_services.control.plane import Plane, make_plane
from ounce_services.control.settings import ControlSettings
from ounce_services.control.store.audit_line import BEGUN
from ounce_services.control.store.database import Database
from ounce_services.policies.canary_command import command as canary_command
from ounce_services.policies.topic import PolicyTopic
from ounce_services.process.children import ounce_command

from tests.support.kafka.topics import OwnTopics, configure
from tests.support.process.wait import wait_until

pytestmark = pytest.mark.kafka


def test_killed_between_database_and_topic_both_agree_after_the_next_start(
    kafka: str, topics: OwnTopics, tmp_path: Path
) -> None:
    topics.made_by_others(policies_topic())
    state = tmp_path / "state.db"
    program = Path(__file__).with_name("killed.py")
    for n, when in enumerate(("before", "after"), start=1):
        killed = subprocess.run([sys.executable, program, kafka, state, when], check=False)
        assert killed.returncode == -signal.SIGKILL
        in_kafka = PolicyTopic(kafka).history().versions
        assert len(in_kafka) == (n - 1 if when == "before" else n)
        plane = make_plane(ControlSettings(kafka=kafka, state=state, models=tmp_path / "none"))
        assert [version.note for version in plane.policies.waiting()] == [when]
        assert outcome_of(plane, when) == BEGUN
        plane.outbox.carry_waiting()
        assert outcome_of(plane, when) == f"v{n} in-force"
        plane.policies.follow()
        assert plane.policies.waiting() == []
        truth = PolicyTopic(kafka).history().versions
        assert [v.note for v in truth.values()] == ["before", "after"][:n]
        assert plane.policies.history().versions == truth
        plane.database.close()


def test_served_beside_the_command_both_see_each_others_versions(
    kafka: str, topics: OwnTopics, tmp_path: Path
) -> None:
    topics.made_by_others(policies_topic())
    topics.made_by_others(canaries_topic())
    state = tmp_path / "state.db"
    keys = Keys(Database(f"sqlite:///{state}"))
    (key, _), (admin, _) = keys.make("ann", Role.EDITOR), keys.make("ann", Role.ADMIN)
    arguments = ("--kafka", kafka, "--state", str(state), "--port", "0")
    with subprocess.Popen(
        ounce_command("control", "serve", *arguments), stdout=subprocess.PIPE, text=True
    ) as served:
        try:
            assert served.stdout is not None
            found = re.search(r"http://\S+/", served.stdout.readline())
            assert found is not None
            with httpx2.Client(
                base_url=found[0], headers={"Authorization": f"Bearer {key}"}, timeout=30
            ) as client:
                body = {"document": "min_accuracy: 0.5"}
                first = client.post("/v1/policies", json=body, headers={"If-Match": '"0"'})
                assert (first.status_code, first.json()["number"]) == (201, 1)
                topic = PolicyTopic(kafka)
                topic.append(topic.history(), Change("min_accuracy: 0.6", "cli"))
                stale = client.post("/v1/policies", json=body, headers={"If-Match": '"1"'})
                assert (stale.status_code, "by cli" in stale.text) == (412, True)
                assert client.get("/v1/policies").json()["current"] == 2
                assert client.get("/v1/fleet").json()["policy"] == "v2"
                assert client.get("/v1/models").status_code == 200
                canary = {"document": "min_accuracy: 0.7", "share": 0.1}
                started = client.post("/v1/trial/canary", json=canary, headers={"If-Match": "2"})
                assert (started.status_code, started.json()["number"]) == (201, 3)
                command = ("status", "--kafka", kafka)
                seen = CliRunner().invoke(canary_command, command)
                assert "10.0% of the devices" in seen.output
                done = client.post("/v1/trial/promote", json={}, headers={"If-Match": "3"})
                assert done.status_code == 201
                current = PolicyTopic(kafka).history().current
                assert current is not None
                assert (current.document, current.promotes) == ("min_accuracy: 0.7", 3)
                url, line = found[0], ("cli", "v2, based on 1")
                wait_until(lambda: by_command(admin, url) == [line], lambda: by_command(admin, url))
                topics.make_again(policies_topic())
                configure(kafka, policies_topic(), cleanup_policy="compact")
                anew = PolicyTopic(kafka)
                wait_until(lambda: anew.history().current is None, lambda: "the topic is empty")
                anew.append(anew.history(), Change("min_accuracy: 0.8", "later"))
                lines = [("later", "v1, based on 0"), line]
                wait_until(lambda: by_command(admin, url) == lines, lambda: by_command(admin, url))
                for number in (2, 3):  # 3 was sent before, too
                    body = {"document": f"min_accuracy: 0.{number}"}
                    match = {"If-Match": f"{number - 1}"}
                    answer = client.post("/v1/policies", json=body, headers=match)
                    assert (answer.status_code, answer.json()["number"]) == (201, number)
        finally:
            served.terminate()
        assert served.wait(30) in (0, -signal.SIGTERM)


def outcome_of(plane: Plane, subject: str) -> str:
    """Of what has this subject in the audit log."""
    [line] = [e for e in plane.audit.newest(EVERYBODY, 10) if e.subject == subject]
    return line.outcome


def by_command(key: str, url: str) -> list[tuple[str, str]]:
    """Actors and subjects of what the audit log says that commands changed."""
    lines = httpx2.get(f"{url}v1/audit", headers={"Authorization": f"Bearer {key}"}).json()
    return [(e["actor"], e["subject"]) for e in lines if e["action"] == "policy.command"]
