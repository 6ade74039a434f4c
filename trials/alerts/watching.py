"""A real Prometheus with the rules that ship, in a quicker time, and a real Alertmanager."""

import json
import re
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import yaml

from tests.support.process.child import Child, free_port
from tests.support.process.prometheus import Prometheus
from tests.support.process.wait import wait_until

_SERVICES = Path(__file__).resolve().parents[2] / "services"
_QUICKER = 20
"""Times that windows and waiting times of the rules are shorter: each is scraped every second."""
_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = re.compile(r"(?<=\[)(\d+)(m?s|[mhd])(?=\])|(?<=offset )(\d+)(m?s|[mhd])\b"
                       r"|(?<= for: )(\d+)(m?s|[mhd])\b")  # fmt: skip
_YOUNG = re.compile(r"(?<=process_start_time_seconds < )\d+")
_TOLD_S = 120.0


def quicker(rules: str) -> str:
    """Rules in which ranges, offsets and waiting times are shorter."""

    def shorter(found: re.Match[str]) -> str:
        n, unit = (part for part in found.groups() if part is not None)
        return f"{int(n) * _MS[unit] // _QUICKER}ms"

    rules = _YOUNG.sub(lambda found: str(int(found[0]) // _QUICKER), rules)
    return _DURATION.sub(shorter, rules)


class WatchingPrometheus(Prometheus):
    """Scrapes what `targets.json` of a folder names, and tells an Alertmanager.

    Args:
        folder: for the rules and the targets.
        alertmanager: HOST:PORT.
    """

    def __init__(self, folder: Path, alertmanager: str) -> None:
        paths = []
        for path in sorted((_SERVICES / "prometheus" / "rules").glob("*.yaml")):
            paths.append(folder / path.name)
            paths[-1].write_text(quicker(path.read_text()))
        super().__init__("", rules=paths)
        self._targets, self._alertmanager = folder / "targets.json", alertmanager
        self.watch({})

    def watch(self, jobs: Mapping[str, int]) -> None:
        """Scrape these: ports by name of the job."""
        groups = [
            {"targets": [f"127.0.0.1:{port}"], "labels": {"job": job}} for job, port in jobs.items()
        ]
        self._targets.with_suffix(".new").write_text(json.dumps(groups))
        self._targets.with_suffix(".new").replace(self._targets)

    def _configuration(self) -> dict[str, Any]:
        files = [{"files": [str(self._targets)], "refresh_interval": "1s"}]
        return super()._configuration() | {
            "alerting": {
                "alertmanagers": [{"static_configs": [{"targets": [self._alertmanager]}]}]
            },
            "scrape_configs": [{"job_name": "ounce", "file_sd_configs": files}],
        }


class Pager:
    """What Alertmanager tells people: a webhook for each of its receivers."""

    def __init__(self) -> None:
        self._told: dict[str, tuple[str, dict[str, Any]]] = {}
        """Receiver and alert as told last, by the alert's name."""
        told = self._told

        class Hook(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                for alert in json.loads(body)["alerts"]:
                    told[alert["labels"]["alertname"]] = self.path.strip("/"), alert
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)

    def wait_for(self, alert: str, status: str) -> tuple[str, dict[str, Any]]:
        """Receiver and alert, once it is `firing` or `resolved`.

        Raises:
            AssertionError: it is not in time.
        """

        def is_told() -> bool:
            return alert in self._told and self._told[alert][1]["status"] == status

        wait_until(is_told, lambda: f"{alert} is not {status}; told: {self.names()}", _TOLD_S)
        return self._told[alert]

    def names(self) -> list[str]:
        """Names of all alerts that fire, as told last."""
        return sorted(n for n, (_, alert) in self._told.items() if alert["status"] == "firing")


@contextmanager
def watching(folder: Path) -> Iterator[tuple[WatchingPrometheus, Pager]]:
    """Both programs, as long as the context lasts.

    Args:
        folder: for their files.
    """
    program = shutil.which("alertmanager") or shutil.which("prometheus-alertmanager")
    if program is None:
        raise RuntimeError("no alertmanager on PATH (Debian package: prometheus-alertmanager)")
    pager = Pager()
    configuration = yaml.safe_load((_SERVICES / "alertmanager" / "alertmanager.yml").read_text())
    configuration["route"] |= {"group_wait": "0s", "group_interval": "1s"}
    for receiver in configuration["receivers"]:
        url = f"http://127.0.0.1:{pager.server.server_port}/{receiver['name']}"
        receiver["webhook_configs"] = [{"url": url}]
    (folder / "alertmanager.yml").write_text(yaml.safe_dump(configuration))
    address = f"127.0.0.1:{free_port()}"
    child = Child(
        [program, f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/told",
         f"--web.listen-address={address}", "--cluster.listen-address="],
        log=folder / "alertmanager.log",
    )  # fmt: skip
    thread = threading.Thread(target=pager.server.serve_forever)
    thread.start()
    try:
        with WatchingPrometheus(folder, address) as prometheus:
            yield prometheus, pager
    finally:
        child.kill()
        pager.server.shutdown()
        thread.join()
        pager.server.server_close()
