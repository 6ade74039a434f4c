"""Wrong addresses and options of `ounce status` and `ounce top`."""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import pytest
from click.testing import CliRunner
from ounce_schemas.command import root
from ounce_services.workers.status_command import command as status
from ounce_services.workers.top_command import command as top

from tests.services.workers.serving_pages import LIGHT, FakeWorker, page_of

WRONG_ADDRESSES = ["", "a b:1", "localhost:99999", "host:port", "ftp://x", "http://[::1", "h:1/x"]


@pytest.mark.parametrize("address", WRONG_ADDRESSES)
@pytest.mark.parametrize("command", [status, top])
def test_what_is_no_address_is_wrong_usage(command: object, address: str) -> None:
    options = ["--json"] if command is status else ["--limit=1"]
    result = CliRunner().invoke(command, [address, *options])  # type: ignore[arg-type]
    assert result.exit_code == 2
    assert f"{address!r} is no worker's address: HOST:PORT" in result.output


@pytest.mark.parametrize("command", [status, top])
def test_a_login_is_refused_and_not_shown(command: object) -> None:
    result = CliRunner().invoke(command, ["http://ann:secret@h:1"])  # type: ignore[arg-type]
    assert result.exit_code == 2
    assert "has no login" in result.output
    assert "secret" not in result.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["status", "--over-s", "-1"], "over_s: Input should be greater than or equal to 0"),
        (["status", "--timeout-s", "0"], "timeout_s: Input should be greater than 0"),
        (["status", "--over-s", "soon"], "over_s: Input should be a valid number"),
        (["top", "--every-s", "0"], "every_s: Input should be greater than or equal to 0.1"),
        (["top", "--limit", "0"], "limit: Input should be greater than or equal to 1"),
        (["top", "--limit", "1.5"], "limit: Input should be a valid integer"),
    ],
)
def test_options_out_of_range_are_wrong_usage(words: list[str], told: str) -> None:
    result = CliRunner().invoke(root, words)
    assert (result.exit_code, told in result.output) == (2, True), result.output


@pytest.fixture
def others() -> Iterator[str]:
    """The address of something that is no worker."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>\n")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_is_no_worker_is_told_as_one_of_several(others: str) -> None:
    with page_of(FakeWorker()) as worker:
        result = CliRunner().invoke(status, [others, worker.address, "--json"])
        frame = CliRunner().invoke(top, [others, worker.address, "--limit=1"])
    stranger, own = json.loads(result.output)
    assert (stranger["is_ready"], stranger["is_alive"], own["is_ready"]) == (False, False, True)
    assert "is not in Prometheus' text format" in stranger["text"]
    assert frame.exit_code == 0
    assert "not in Prometheus'" in " ".join(frame.output.split())


def test_a_narrow_terminal_cuts_no_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with page_of(FakeWorker("occupancy")) as worker:
        worker.answer(LIGHT, [2.0] * 12_345)
        output = CliRunner().invoke(top, [worker.address, "--limit=1"]).output
    assert "…" not in output
    assert "occupancy" in output
