"""Jars of servers for tests: resolved once through Maven, kept in the user's cache folder."""

import fcntl
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

KAFKA_VERSION = "4.1.1"
_LOG4J_VERSION = "2.25.2"
_ARTIFACTS = (
    ("org.apache.kafka", "kafka_2.13", KAFKA_VERSION),
    ("org.apache.logging.log4j", "log4j-core", _LOG4J_VERSION),
    ("org.apache.logging.log4j", "log4j-slf4j-impl", _LOG4J_VERSION),
)
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies"
_MIN_JAVA = 17
_MAVEN_TIMEOUT_S = 300


Artifacts = Sequence[tuple[str, str, str]]


class KafkaUnavailableError(Exception):
    """This machine can't run a server in Java, such as Kafka; the message says what it lacks."""


def java() -> Path:
    """The Java program.

    Raises:
        KafkaUnavailableError: there is none, or it is older than Kafka's broker needs.
    """
    found = shutil.which("java")
    if found is None:
        raise KafkaUnavailableError(f"no java on PATH (Kafka needs Java {_MIN_JAVA} or newer)")
    banner = subprocess.run([found, "-version"], capture_output=True, text=True).stderr
    version = re.search(r'version "(\d+)', banner)
    if version is None or int(version[1]) < _MIN_JAVA:
        raise KafkaUnavailableError(
            f"{found} is {banner.splitlines()[0] if banner else 'of unknown version'}; "
            f"Kafka {KAFKA_VERSION} needs Java {_MIN_JAVA} or newer"
        )
    return Path(found)


def kafka_jars(cache: Path | None = None) -> Path:
    """The folder that holds Kafka's jars; see `jars_of`."""
    return jars_of(f"Kafka {KAFKA_VERSION}", _ARTIFACTS, cache)


def jars_of(title: str, artifacts: Artifacts, cache: Path | None = None) -> Path:
    """The folder that holds some jars; the first call resolves them, later ones are offline.

    Several processes may call it at once: one resolves, the others wait for it.

    Args:
        title: name and version of the server.
        artifacts: group, artifact and version of what it is made of.
        cache: where to keep them; by default `ounce` in the user's cache folder.

    Raises:
        KafkaUnavailableError: Maven is absent, or could not resolve them.
    """
    if cache is None:
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ounce"
    name = title.lower().replace(" ", "-")
    jars = cache / name
    if jars.is_dir():
        return jars
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError(f"no mvn on PATH (Maven resolves the jars of {title} once)")
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not jars.is_dir():
            with tempfile.TemporaryDirectory(dir=cache, prefix="resolving-") as work:
                _resolve(maven, Path(work), title, artifacts).rename(jars)
    return jars


def _resolve(maven: str, work: Path, title: str, artifacts: Artifacts) -> Path:
    """Copy the artifacts and all that they depend on into a folder of `work`."""
    dependencies = "".join(
        f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
        f"<version>{version}</version></dependency>"
        for group, artifact, version in artifacts
    )
    pom = work / "pom.xml"
    pom.write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>io.ounce</groupId><artifactId>server-for-tests</artifactId><version>1</version>"
        f"<packaging>pom</packaging><dependencies>{dependencies}</dependencies></project>"
    )
    jars = work / "jars"
    command = [maven, "-B", "-q", "-f", str(pom), _COPY_GOAL, f"-DoutputDirectory={jars}"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=_MAVEN_TIMEOUT_S)
    except subprocess.TimeoutExpired as e:
        raise KafkaUnavailableError(f"Maven did not resolve {title} in {_MAVEN_TIMEOUT_S} s") from e
    if result.returncode != 0:
        errors = [line for line in result.stdout.splitlines() if "ERROR" in line]
        reason = errors[0] if errors else result.stderr.strip()
        raise KafkaUnavailableError(f"Maven can't resolve {title}: {reason}")
    return jars
