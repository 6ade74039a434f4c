"""A front on a Kafka that asks who comes, with the rights that the page on security lists."""

from pathlib import Path

import pytest

from tests.support.kafka.acls import grant, withdraw
from tests.support.kafka.logins import PASSWORDS, documented_commands, scram, secure_kafka
from tests.support.kafka.needed import kafka_needed
from tests.support.process.front import FrontProcess
from tests.support.process.wait import wait_until
from tests.support.process.worker import Worker

pytestmark = pytest.mark.kafka
ITEM = b"[" + b",".join([b"0"] * 64) + b"]"
UNKNOWN = "Kafka does not let this user describe the group ounce"
PATIENT = {"ce-maxlatencyms": "60000"}


def login(user: str) -> dict[str, str]:
    return {"OUNCE_SASL_PASSWORD": PASSWORDS[user]}


def test_the_documented_rights_suffice_and_a_lacking_one_is_told(
    digits_models: Path, tmp_path: Path
) -> None:
    log = tmp_path / "front.log"
    with kafka_needed(), secure_kafka(tmp_path) as kafka:
        documented = [line for line in documented_commands() if "User:http " in line]
        options = ["--task=digits", *scram(kafka, "http")[1:]]
        with (
            Worker(
                kafka.scram, digits_models, tmp_path / "worker.log", scram(kafka, "worker"),
                env=login("worker"),
            ),
            FrontProcess(kafka.scram, log, options, login("http")) as front,
        ):  # fmt: skip
            assert front.ask(ITEM, PATIENT).status == 200
            to_read = [line for line in documented if "--operation Read" in line]
            withdraw(kafka.bootstrap_servers, to_read)
            wait_until(lambda: "not let this user read" in front.get("/readyz")[1], log.read_text)
            told = front.ask(ITEM, PATIENT)
            assert (told.status, "docs/security.md" in told.body["error"]) == (503, True)
            grant(kafka.bootstrap_servers, to_read)
            wait_until(lambda: front.ask(ITEM, PATIENT).status == 200, log.read_text)
            to_write = [line for line in documented if "--operation Write" in line]
            withdraw(kafka.bootstrap_servers, to_write)
            wait_until(lambda: front.ask(ITEM, PATIENT).status == 503, log.read_text)
            grant(kafka.bootstrap_servers, to_write)
            wait_until(lambda: front.ask(ITEM, PATIENT).status == 200, log.read_text)
            assert UNKNOWN not in log.read_text()
            withdraw(kafka.bootstrap_servers, [x for x in documented if "--group" in x])
            other = tmp_path / "other.log"
            with FrontProcess(kafka.scram, other, options, login("http")) as front:
                wait_until(lambda: UNKNOWN in other.read_text(), other.read_text)
                assert front.ask(ITEM, PATIENT).status == 200
