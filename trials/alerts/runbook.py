"""Commands of a runbook, run word for word: only addresses and the names of files are put in."""

import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.docs.pages import DOCS
from tests.support.kafka.jars import KAFKA_VERSION, jars_of, java, kafka_jars
from tests.support.process.worker import OUNCE

_TOOLS = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-transactions.sh": "org.apache.kafka.tools.TransactionsCommand",
}
_ARTIFACTS = (("org.apache.kafka", "kafka-tools", KAFKA_VERSION),)
_DOCKER = """#!/bin/sh
# `docker compose logs SERVICE` and `docker compose ps SERVICE` of processes without containers.
for last; do :; done
case "$2" in
  logs) [ "$3" = --tail ] && exec tail -n "$4" "{folder}/$last.log"
    exec cat "{folder}/$last.log" ;;
  ps) grep -c . "{folder}/$last.log" ;;
  *) exit 2 ;;
esac
"""
_TIMEOUT_S = 90


class Told(NamedTuple):
    """What a command said."""

    command: str
    code: int
    text: str


class Runbook:
    """Sections of the page.

    Args:
        folder: of logs, `SERVICE.log`, where commands run; for their programs, too.
    """

    def __init__(self, folder: Path) -> None:
        self._text = (DOCS / "runbooks.md").read_text(encoding="utf-8")
        self._folder, self._programs = folder, folder / "programs"
        self._programs.mkdir()
        tools = jars_of(f"Kafka tools {KAFKA_VERSION}", _ARTIFACTS)
        jars = f"{kafka_jars()}/*:{tools}/*"
        scripts = {
            name: f'#!/bin/sh\nexec {java()} -Xmx128m -cp "{jars}" {of} "$@"\n'
            for name, of in _TOOLS.items()
        }
        for name, script in {**scripts, "docker": _DOCKER.format(folder=folder)}.items():
            (self._programs / name).write_text(script)
            (self._programs / name).chmod(0o755)

    def has(self, anchor: str) -> bool:
        """Whether there is a section that a link leads to."""
        return re.search(rf"^### {re.escape(anchor)}$", self._text, re.M | re.I) is not None

    def diagnose(self, alert: str, names: Mapping[str, str]) -> list[Told]:
        """Run the commands of an alert's section, of which each line is one.

        Args:
            alert: its name.
            names: what to put in, by what stands on the page.
        """
        section = re.split(r"\n###? ", self._text.partition(f"### {alert}\n")[2])[0]
        commands = "\n".join(re.findall(r"```sh\n(.*?)```", section, re.S)).splitlines()
        return [self.run(command, names) for command in commands]

    def run(self, command: str, names: Mapping[str, str]) -> Told:
        """Run one command."""
        for stands, put in names.items():
            command = re.sub(rf"(?<![\w.-]){re.escape(stands)}(?![\w-])", put, command)
        path = f"{self._programs}:{OUNCE.parent}:{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-o", "pipefail", "-c", command],
            cwd=self._folder,
            env={**os.environ, "PATH": path, "TZ": "UTC"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=_TIMEOUT_S,
        )
        return Told(command, done.returncode, done.stdout)
