"""The console in a real browser: scripts run under the content security policy, parts refresh."""

import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from ounce_services.control.api.app import make_app
from ounce_services.control.plane import make_plane
from ounce_services.control.settings import ControlSettings

from tests.services.control.conftest import MemoryTopics
from tests.support.process.child import free_port

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="apt-get install chromium")


@pytest.fixture
def console(
    settings: ControlSettings, topics_in_memory: MemoryTopics
) -> Iterator[tuple[str, list]]:
    """Address of a console that asks for no key, and the paths that were asked for."""
    port, asked = free_port(), []
    open_ = settings.model_copy(update={"open": True, "port": port})
    plane = make_plane(open_, topics_in_memory, lambda: topics_in_memory)
    app = make_app(plane)

    async def noted(scope, receive, send):
        if scope["type"] == "http":
            asked.append(scope["path"])
        await app(scope, receive, send)

    server = uvicorn.Server(
        uvicorn.Config(noted, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.05)
    yield f"http://127.0.0.1:{port}", asked
    server.should_exit = True
    thread.join(60)
    plane.database.close()


@pytest.mark.parametrize("path", ["/", "/trial", "/models", "/keys", "/audit"])
def test_a_browser_runs_the_scripts_and_finds_no_fault(
    console: tuple[str, list], tmp_path: Path, path: str
) -> None:
    url, asked = console
    shown = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            f"--user-data-dir={tmp_path}", "--window-size=390,900", "--virtual-time-budget=4000",
            "--dump-dom", f"{url}{path}",
        ],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
    title = {"/": "Fleet", "/audit": "Audit log"}.get(path, path[1:].title())
    assert f"<h1>{title}</h1>" in shown.stdout
    faults = re.findall(r"CONSOLE.*", shown.stderr)
    assert faults == []
    assert {"/static/htmx.min.js", "/static/console.css"} <= set(asked)
    assert ("/live" in asked) is (path == "/")
