"""The console in a real browser: scripts run under the content security policy, parts refresh."""

import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx2
import msgspec
import pytest
import uvicorn
from ounce_schemas.canary import Stop
from ounce_schemas.event import EventKind, OperationalEvent
from ounce_services.control.api.app import make_app
from ounce_services.control.console import pages
from ounce_services.control.plane import Plane, make_plane
from ounce_services.control.settings import ControlSettings
from starlette.responses import Response

from tests.services.control.conftest import MemoryTopics
from tests.services.test_shadow_comparison import answer
from tests.support.process.child import free_port

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="apt-get install chromium")


class Console(NamedTuple):
    """One that asks for no key."""

    url: str
    asked: list[str]
    """Paths that were asked for."""
    before: dict[str, Callable[[], None]]
    """What is done before a path is answered."""
    instead: dict[str, bytes]
    """Scripts that are answered in place of the console's own, by their paths."""
    plane: Plane


@pytest.fixture
def console(settings: ControlSettings, topics_in_memory: MemoryTopics) -> Iterator[Console]:
    port = free_port()
    open_ = settings.model_copy(update={"open": True, "port": port})
    plane = make_plane(open_, topics_in_memory, lambda: topics_in_memory)
    made = Console(f"http://127.0.0.1:{port}", [], {}, {}, plane)
    app = make_app(plane)

    async def noted(scope, receive, send):
        if scope["type"] == "http":
            made.asked.append(scope["path"])
            made.before.get(scope["path"], lambda: None)()
            if (script := made.instead.get(scope["path"])) is not None:
                await Response(script, media_type="text/javascript")(scope, receive, send)
                return
        await app(scope, receive, send)

    server = uvicorn.Server(
        uvicorn.Config(noted, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        threading.Event().wait(0.05)
    yield made
    server.should_exit = True
    thread.join(60)
    plane.database.close()


@pytest.mark.parametrize("path", ["/", "/trial", "/models", "/keys", "/audit"])
def test_a_browser_runs_the_scripts_and_finds_no_fault(
    console: Console, tmp_path: Path, path: str
) -> None:
    shown = _dom_of(f"{console.url}{path}", tmp_path)
    title = {"/": "Fleet", "/audit": "Audit log"}.get(path, path[1:].title())
    assert f"<h1>{title}</h1>" in shown.stdout
    faults = re.findall(r"CONSOLE.*", shown.stderr)
    assert faults == []
    assert {"/static/htmx.min.js", "/static/console.css"} <= set(console.asked)
    assert ("/live" in console.asked) is (path == "/")


def test_a_page_says_so_where_its_figures_are_old(console: Console, tmp_path: Path) -> None:
    told = '<p id="away" class="problem" role="alert">'
    assert told not in _dom_of(f"{console.url}/", tmp_path).stdout

    def fail() -> None:
        raise RuntimeError("as a control plane that fails")

    console.before["/live"] = fail
    assert told in _dom_of(f"{console.url}/", tmp_path).stdout


@pytest.mark.parametrize("is_held", [True, False])
def test_answers_stand_still_for_who_wants_to_open_one(
    console: Console, tmp_path: Path, is_held: bool
) -> None:
    console.before["/"] = lambda: console.plane.stream.take("digits", [answer("m-1", "7", "v1")])
    own = Path(pages.__file__).with_name("static") / "console.js"
    focus = b"document.querySelector('#live table a').focus();"
    console.instead["/static/console.js"] = own.read_bytes() + (focus if is_held else b"")
    shown = _dom_of(f"{console.url}/", tmp_path).stdout
    assert "id=m-1" in shown or not is_held
    assert ("/live" in console.asked) is not is_held


LONG = "ß" + 120 * "W"
MEASURE = b"""addEventListener("load", () => {
    const wide = document.documentElement.clientWidth;
    const out = [...document.querySelectorAll("main *")].filter((each) =>
        each.getBoundingClientRect().right > wide + 1);
    document.title = `${wide} px: ${out.map((each) => each.outerHTML.slice(0, 80)).join()}`;
});"""


@pytest.mark.parametrize("path", ["/", "/models", "/policy", "/audit", "/keys"])
def test_long_names_push_nothing_off_a_narrow_page(
    console: Console, topics_in_memory: MemoryTopics, tmp_path: Path, path: str
) -> None:
    """Also no button of a table, which would have to be scrolled to."""
    with httpx2.Client(base_url=console.url, headers={"Origin": console.url}, timeout=60) as ann:
        for n in range(2):
            form = {"document": f"min_accuracy: 0.{n + 1}", "base": n, "note": LONG}
            ann.post("/policy/apply", data=form)
        ann.post("/keys", data={"name": LONG, "role": "viewer", "tenant": LONG})
    event = OperationalEvent(EventKind.POLICY_REFUSED, "digits", "v1", LONG, 1, LONG)
    topics_in_memory.events.append(msgspec.json.encode(event))
    event = OperationalEvent(EventKind.MODELS_REFUSED, "digits", "models", LONG, 1, LONG)
    topics_in_memory.events.append(msgspec.json.encode(event))
    console.instead["/static/htmx.min.js"] = MEASURE
    shown = _dom_of(f"{console.url}{path}", tmp_path)
    assert LONG in shown.stdout
    assert re.findall(r"<title>(\d+ px: .*)</title>", shown.stdout, re.DOTALL)[0].endswith("px: ")


def test_a_form_that_a_browser_sends_is_taken(console: Console, tmp_path: Path) -> None:
    console.instead["/static/htmx.min.js"] = b"""addEventListener("DOMContentLoaded", () => {
        const name = document.querySelector("#name");
        if (document.querySelector(".good, .problem:not([hidden])")) return;
        name.value = "ann";
        document.querySelector("button.strong").click();
    });"""
    shown = _dom_of(f"{console.url}/keys", tmp_path)
    assert "The key of ann, shown this once" in shown.stdout


def test_an_open_page_offers_more_once_a_canary_stopped_itself(
    console: Console, topics_in_memory: MemoryTopics, tmp_path: Path
) -> None:
    url, asked, before = console.url, console.asked, console.before
    with httpx2.Client(base_url=url, headers={"Origin": url}, timeout=60) as ann:
        ann.post("/policy/apply", data={"document": "min_accuracy: 0.5", "base": "0"})
        form = {"share": "0.1", "margin": "0.01", "accuracy_margin": "0.005", "confidence": "0.95"}
        ann.post("/trial/canary", data={**form, "base": "1", "document": "min_accuracy: 0.9"})
        assert "It stopped itself" not in ann.get("/trial").text
    canary = topics_in_memory.history().current.id
    stop = Stop(canary=canary, worker="w", at_ms=2, reason="deadlines of digits")
    asked.clear()
    told = (stop.key, stop.model_dump_json().encode())
    before["/static/htmx.min.js"] = lambda: topics_in_memory.canaries.append(told)
    shown = _dom_of(f"{url}/trial", tmp_path)
    assert asked.count("/trial") == 1
    assert "/trial/canary" in asked
    for text in ("It stopped itself", "Promote although it stopped itself", "Start the canary"):
        assert text in shown.stdout


def _dom_of(url: str, folder: Path) -> subprocess.CompletedProcess:
    """What a browser makes of a page in some seconds of its own."""
    return subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
            f"--user-data-dir={folder}", "--window-size=390,900", "--virtual-time-budget=8000",
            "--dump-dom", url,
        ],
        capture_output=True, text=True, timeout=90, check=True,
    )  # fmt: skip
