"""A real Prometheus that scrapes one target every second, and its query interface."""

import json
import shutil
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml

from tests.support.process.child import Child, free_port

_START_TIMEOUT_S = 30
_REQUEST_TIMEOUT_S = 10


class PrometheusUnavailableError(Exception):
    """This machine has no prometheus program."""


class QueryError(Exception):
    """Prometheus refuses an expression; the message is its own."""


@dataclass(frozen=True)
class Sample:
    """One series of an instant query's answer."""

    labels: dict[str, str]
    """Without the metric's name."""
    value: float


@dataclass(frozen=True)
class Line:
    """One series of a range query's answer."""

    labels: dict[str, str]
    """Without the metric's name."""
    points: list[tuple[float, float]]
    """Seconds since 1970, and the value then."""


class Prometheus:
    """A running Prometheus; a context manager."""

    def __init__(self, target: str, job: str = "ounce", rules: Sequence[Path] = ()) -> None:
        """Prepare it; nothing runs yet.

        Args:
            target: HOST:PORT whose /metrics is scraped every second.
            job: name of the job that it is scraped for.
            rules: files of rules, which are evaluated every second.

        Raises:
            PrometheusUnavailableError: there is no `prometheus` on PATH.
        """
        program = shutil.which("prometheus")
        if program is None:
            raise PrometheusUnavailableError("no prometheus on PATH (Debian package: prometheus)")
        self._program = program
        self._target = target
        self._job = job
        self._rules = [str(path) for path in rules]
        self._address = f"127.0.0.1:{free_port()}"
        self._folder = Path(tempfile.mkdtemp(prefix="ounce-prometheus-"))
        self._child: Child | None = None

    @property
    def address(self) -> str:
        """Where its web interface listens: HOST:PORT."""
        return self._address

    def __enter__(self) -> Self:
        config_file = self._folder / "prometheus.yml"
        config_file.write_text(yaml.safe_dump(self._configuration()))
        self._child = Child(
            [
                self._program,
                f"--config.file={config_file}",
                f"--storage.tsdb.path={self._folder / 'data'}",
                f"--web.listen-address={self._address}",
            ],
            log=self._folder / "prometheus.log",
        )
        try:
            self._wait_until_ready(self._child)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def query(self, expression: str) -> list[Sample]:
        """Answer of an instant query; empty where no series matches.

        Raises:
            QueryError: the expression can't be parsed or evaluated.
        """
        result = self._get("/api/v1/query", query=expression)
        if result["resultType"] in ("scalar", "string"):
            return [Sample(labels={}, value=float(result["result"][1]))]
        return [
            Sample(
                labels={k: v for k, v in series["metric"].items() if k != "__name__"},
                value=float(series["value"][1]),
            )
            for series in result["result"]
        ]

    def query_range(self, expression: str, last_s: float, step_s: float) -> list[Line]:
        """The series that an expression had within the last seconds.

        Raises:
            QueryError: the expression can't be parsed or evaluated.
        """
        end_s = time.time()
        result = self._get(
            "/api/v1/query_range",
            query=expression,
            start=str(end_s - last_s),
            end=str(end_s),
            step=str(step_s),
        )
        return [
            Line(
                labels={k: v for k, v in series["metric"].items() if k != "__name__"},
                points=[(float(at_s), float(value)) for at_s, value in series["values"]],
            )
            for series in result["result"]
        ]

    def rules(self) -> list[dict[str, Any]]:
        """All rules as they went last: `health` is ok, err or unknown."""
        groups = self._get("/api/v1/rules")["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def wait_for(self, expression: str, timeout_s: float = 90) -> list[Sample]:
        """Repeat a query until it has an answer.

        Raises:
            AssertionError: it has none after `timeout_s`; the state of the target is named.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if samples := self.query(expression):
                return samples
            time.sleep(0.2)
        states = [
            f"{target['scrapeUrl']}: {target['health']} {target['lastError']}"
            for target in self._get("/api/v1/targets")["activeTargets"]
        ]
        raise AssertionError(f"{expression!r} has no series after {timeout_s} s; {states}")

    def metric_names(self) -> set[str]:
        """Names of all series that are stored."""
        return set(self._get("/api/v1/label/__name__/values"))

    def _configuration(self) -> dict[str, Any]:
        """Of the program."""
        return {
            "global": {
                "scrape_interval": "1s",
                "scrape_timeout": "1s",
                "evaluation_interval": "1s",
            },
            "rule_files": self._rules,
            "scrape_configs": [
                {"job_name": self._job, "static_configs": [{"targets": [self._target]}]}
            ],
        }

    def _get(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of the HTTP interface."""
        url = f"http://{self._address}{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=_REQUEST_TIMEOUT_S) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as e:
            with e:
                raise QueryError(json.load(e)["error"]) from e

    def _wait_until_ready(self, child: Child) -> None:
        """Return once it answers.

        Raises:
            RuntimeError: it ended or did not answer in time; the message holds the end of its log.
        """
        deadline = time.monotonic() + _START_TIMEOUT_S
        while child.running and time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(
                    f"http://{self._address}/-/ready", timeout=_REQUEST_TIMEOUT_S
                ):
                    return
            except urllib.error.HTTPError as e:
                e.close()
            except urllib.error.URLError:
                pass
            time.sleep(0.1)
        raise RuntimeError(f"Prometheus does not answer; the end of its log:\n{child.log_tail()}")

    def _close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child = None
        shutil.rmtree(self._folder, ignore_errors=True)
