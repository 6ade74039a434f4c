"""The console: what pages show, what they change, and what they never do."""

import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest
from ounce_schemas.canary import Stop
from ounce_services.control.access.principal import EVERYBODY, Role
from ounce_services.control.api.app import make_app
from ounce_services.control.console import pages
from ounce_services.control.dead_letter_desk import Listed
from ounce_services.control.plane import Plane
from ounce_services.dead_letters.index import Count

from tests.services.control.conftest import Caller, MemoryTopics, logged_in
from tests.support.contrast import ENOUGH, colour_of, contrast

SCRIPT = '"><script>alert(1)</script>'
PAGES = ("/", "/ladders", "/models", "/policy", "/trial", "/decision", "/keys", "/audit", "/login")


def test_pages_ask_for_a_key_and_log_out_ends_it(plane: Plane, as_: Caller) -> None:
    nobody = as_(None)
    for path in (*PAGES[:-1], "/dead-letters", "/live"):
        answer = nobody.get(path, follow_redirects=False)
        to = "" if path in ("/", "/live") else f"?to={path}"
        assert (answer.status_code, answer.headers["location"]) == (303, f"/login{to}"), path
    part = nobody.get("/live", headers={"HX-Request": "true"})
    assert (part.status_code, part.headers["hx-redirect"]) == (401, "/login")
    wrong = nobody.post("/login", data={"key": "ounce_x"})
    assert (wrong.status_code, "is not known" in wrong.text) == (401, True)
    ann = logged_in(plane)
    assert ann.get("/").status_code == 200
    cookie = dict(ann.cookies)
    ann.post("/logout")
    ann.cookies.update(cookie)
    assert ann.get("/", follow_redirects=False).status_code == 303


def test_who_logs_in_is_led_to_the_page_that_was_asked_for_and_nowhere_else(
    plane: Plane, as_: Caller
) -> None:
    asked = "/decision?task=digits&id=a%2Fb%26c"
    nobody, (key, _) = as_(None), plane.gate.keys.make("ann", Role.VIEWER)
    login = nobody.get(asked)
    long = nobody.get("/decision", params={"task": "digits", "id": 500 * "\U0001f600"})
    assert (long.status_code, long.url.path) == (200, "/login")
    [to] = re.findall(r'name="to" value="([^"]*)"', login.text)
    assert unescape(to) == asked
    wrong = nobody.post("/login", data={"key": "no", "to": asked})
    assert f'value="{to}"' in wrong.text
    elsewhere = ("//evil.example", "https://evil.example/", "/\\evil.example", "/nowhere", "", "?x",
                 "javascript:alert(1)", "/logout", "\t//evil.example")  # fmt: skip
    for target, location in ((asked, asked), *((each, "/") for each in elsewhere)):
        answer = nobody.post("/login", data={"key": key, "to": target}, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"]) == (303, location), target
    assert nobody.get(f"/login?to={elsewhere[0]}").text.count("evil") == 0
    changed = as_(None).post("/policy/apply", data={"document": "{}"}, follow_redirects=False)
    assert changed.headers["location"] == "/login"


def test_a_revoked_key_ends_its_sessions(plane: Plane, as_: Caller) -> None:
    ann = logged_in(plane)
    for key in as_("admin").get("/v1/keys").json():
        plane.gate.keys.revoke(key["id"], EVERYBODY)
    assert ann.get("/", follow_redirects=False).status_code == 303


def test_a_policy_is_checked_compared_applied_and_taken_back(plane: Plane) -> None:
    ann, part = logged_in(plane), {"HX-Request": "true"}

    def post(button: str, document: str, base: int, **headers: str) -> str:
        data = {"document": document, "base": base, "note": "why"}
        answer = ann.post(f"/policy/{button}", data=data, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.text

    assert "is never met" in post("check", "rules: [{name: a}, {name: b}]", 0, **part)
    assert "Nothing is wrong" in post("check", "{}", 0)
    assert "min_accuracy: 0.7" in post("diff", "min_accuracy: 0.7\r\n", 0, **part)
    assert "<strong>v1</strong> by ann" in post("apply", "min_accuracy: 0.7\r\n", 0)
    assert plane.policies.version().document == "min_accuracy: 0.7\n"
    stale = post("apply", "{}", 0, **part)
    assert "version 1 is in force by ann" in stale
    assert "<html" not in stale
    assert "--decisions" in post("replay", "{}", 1, **part)
    assert "<strong>v2</strong> by ann" in post("apply", "{}", 1)
    back = ann.post("/policy/restore", data={"number": 1, "base": 2})
    assert "again v1" in back.text
    assert [v.author for v in plane.policies.history().versions.values()] == ["ann"] * 3


def test_a_version_opens_in_the_editor_and_goes_on_trial_from_there(
    plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    ann = logged_in(plane)
    assert "Put on trial" not in ann.get("/policy").text
    for base, floor in enumerate((0.6, 0.7)):
        data = {"document": f"min_accuracy: {floor}", "base": base}
        assert ann.post("/policy/apply", data=data).status_code == 200
    shown = ann.get("/policy?version=1").text
    assert "Below is v1, which is not in force" in shown
    assert "\nmin_accuracy: 0.6</textarea>" in shown
    assert 'name="base" value="2"' in shown
    assert "not in force" not in ann.get("/policy?version=2").text
    assert ann.get("/policy?version=3").status_code == 404
    trial = ann.post("/trial/draft", data={"document": "min_accuracy: 0.65\r\n"}).text
    assert trial.count("\nmin_accuracy: 0.65\n</textarea>") == 2
    assert len(topics_in_memory.records) == 2
    assert ann.get("/trial").text.count("\nmin_accuracy: 0.7</textarea>") == 2
    for client in (logged_in(plane, "viewer"), logged_in(plane, "editor", "acme")):
        assert client.post("/trial/draft", data={"document": "{}"}).status_code == 403
        assert "Put on trial" not in client.get("/policy").text


def test_what_is_edited_stays_in_the_editor_where_no_trial_can_start(
    plane: Plane, topics_in_memory: MemoryTopics
) -> None:
    ann, edited = logged_in(plane), {"document": "min_accuracy: 0.65\r\n"}
    first = ann.post("/trial/draft", data=edited).text
    assert "No version is in force: apply one." in first
    assert "\nmin_accuracy: 0.65\n</textarea>" in first
    ann.post("/policy/apply", data={"document": "min_accuracy: 0.6", "base": 0})
    numbers = {"share": 0.1, "margin": 0.01, "accuracy_margin": 0.02, "confidence": 0.95}
    canary = {"document": "min_accuracy: 0.7", "base": 1, **numbers}
    assert ann.post("/trial/canary", data=canary).status_code == 200
    shown = ann.post("/trial/draft", data=edited).text
    assert "v2 is a canary: promote or stop it" in shown
    assert "\nmin_accuracy: 0.65\n</textarea>" in shown
    assert 'name="base" value="2"' in shown
    stop = Stop(canary=plane.policies.version(2).id, worker="w", at_ms=1, reason="late")
    topics_in_memory.canaries.append((stop.key, stop.model_dump_json().encode()))
    assert ann.post("/trial/draft", data=edited).text.count("\nmin_accuracy: 0.65\n<") == 2


def test_two_editors_at_once_the_slower_one_is_told(plane: Plane) -> None:
    ann, bob = logged_in(plane), logged_in(plane)
    pages = [client.get("/policy").text for client in (ann, bob)]
    bases = [re.search(r'name="base" value="(\d+)"', page)[1] for page in pages]
    assert bases == ["0", "0"]
    first = ann.post("/policy/apply", data={"document": "min_accuracy: 0.6", "base": bases[0]})
    assert first.status_code == 200
    second = bob.post("/policy/apply", data={"document": "min_accuracy: 0.7", "base": bases[1]})
    assert (second.status_code, "Changed meanwhile" in second.text) == (412, True)


def test_what_is_wrong_with_a_page_is_told_to_people(plane: Plane) -> None:
    ann = logged_in(plane)
    assert "there is no page at this address" in ann.get("/nowhere").text
    answer = ann.post("/policy/apply", data={"document": "{}"})
    assert (answer.status_code, "body.base" in answer.text) == (422, True)
    assert "Content-Type" not in answer.text
    letters = ann.post("/dead-letters", data={"task": "digits", "position": "first"})
    assert (letters.status_code, "body.position" in letters.text) == (422, True)


def test_a_part_that_refreshes_waits_for_no_answer_for_ever() -> None:
    """Else a frozen control plane would show old figures without a word."""
    templates = Path(pages.__file__).parent / "templates"
    tags = [
        tag
        for path in templates.glob("*.html")
        for tag in re.findall(r"<[^<>]*hx-trigger=\"every.*>", path.read_text())
    ]
    assert len(tags) == 3
    for tag in tags:
        assert re.search(r"""hx-request='{"timeout": [0-9]+}'""", tag), tag


def test_a_reason_that_no_worker_gives_leads_nowhere(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = {"bad-header": Count(2, 0), "odd": Count(1, 0)}
    monkeypatch.setattr(plane.dead_letters, "look_up", lambda *how: Listed([], counts))
    ann = logged_in(plane)
    page = ann.get("/dead-letters?task=digits").text
    links = re.findall(r'<a href="(/dead-letters[?][^"]*)">([^<]*)</a>', page)
    assert [text for _, text in links] == ["bad-header"]
    assert "1 odd" in page
    assert ann.get(unescape(links[0][0])).status_code == 200


def test_topics_of_others_are_no_tasks(plane: Plane) -> None:
    names = {"ounce.digits.predictions", "ounce.Hall_7.predictions", "ounce.a.b.predictions"}
    assert plane.stream._topics(names).keys() == {"ounce.digits.predictions"}
    assert plane.stream.tasks() == ["digits"]


def test_a_viewer_has_no_button_that_changes_and_may_not_press_one(plane: Plane) -> None:
    eve = logged_in(plane, "viewer")
    assert "Apply" not in eve.get("/policy").text
    answer = eve.post("/policy/apply", data={"document": "{}", "base": 0})
    assert (answer.status_code, plane.policies.waiting()) == (403, [])


def test_script_in_names_is_shown_as_text(
    plane: Plane, as_: Caller, topics_in_memory: MemoryTopics
) -> None:
    document = f"# {SCRIPT}\nmin_accuracy: 0.7\n"
    body = {"document": document, "note": SCRIPT}
    made = as_("editor", name=SCRIPT).post("/v1/policies", json=body, headers={"If-Match": "0"})
    assert made.status_code == 201
    topics_in_memory.events.append(
        msgspec.json.encode(
            {"kind": "policy-changed", "task": SCRIPT, "subject": SCRIPT, "text": SCRIPT,
             "at_ms": 1, "worker": SCRIPT}
        )
    )  # fmt: skip
    answer = {"id": SCRIPT, "parameters": {"plan": SCRIPT, "deadline_met": True}}
    plane.stream.take("digits", [(SCRIPT.encode(), msgspec.json.encode(answer))])
    client = logged_in(plane)
    pages = [client.get(path).text for path in ("/", "/live", "/policy", "/decision?id=" + SCRIPT)]
    pages.append(client.post("/policy/diff", data={"document": SCRIPT}).text)
    assert all("alert(1)" in page for page in pages[:3])
    for page in pages:
        assert "<script>alert" not in page


def test_the_stream_shows_rates_and_who_answers(plane: Plane) -> None:
    good = {"plan": "mlp", "latency_ms": 4.0, "deadline_met": True, "floor_met": True}
    late = {**good, "plan": "tree", "latency_ms": 90.0, "deadline_met": False}
    records = [
        (b"d", msgspec.json.encode({"id": "m", "parameters": p})) for p in [good] * 3 + [late]
    ]
    plane.stream.take("digits", [*records, (None, b"foreign"), (b"k", None)])
    stream = plane.stream.of("digits")
    assert (stream.plans, stream.in_time, stream.per_s) == ({"mlp": 0.75, "tree": 0.25}, 0.75, 0.6)
    assert (stream.latency_ms(0.5), stream.latency_ms(0.99)) == (4.0, 90.0)
    text = logged_in(plane).get("/live").text
    assert "75.0%" in text
    assert ">late<" in text


class Labels(HTMLParser):
    """Fields without a label, and images without a text."""

    def __init__(self) -> None:
        super().__init__()
        self.fields: set[str] = set()
        self.labelled: set[str] = set()
        self.bad: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "label":
            self.labelled.add(str(given.get("for")))
        named = "aria-label" in given
        if tag in ("input", "select", "textarea") and given.get("type") != "hidden" and not named:
            self.fields.add(str(given.get("id")))
        if tag in ("svg", "meter", "img") and not named and "alt" not in given:
            self.bad.append(tag)
        if tag == "th" and "scope" not in given:
            self.bad.append("th")
        if "style" in given or any(name.startswith("on") for name in given):
            self.bad.append(f"{tag}: the content security policy forbids it")


@pytest.mark.parametrize("path", PAGES)
def test_every_field_has_a_label_and_nothing_comes_from_elsewhere(plane: Plane, path: str) -> None:
    admin = logged_in(plane, "admin")
    admin.post("/policy/apply", data={"document": "{}", "base": 0})
    page = admin.get(path).text
    found = Labels()
    found.feed(page)
    assert found.bad == []
    assert found.fields <= found.labelled
    assert '<html lang="en">' in page
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page)


def test_colours_have_enough_contrast() -> None:
    css = (
        Path(make_app.__code__.co_filename).parents[1] / "console/static/console.css"
    ).read_text()
    themes = re.findall(r":root \{(.*?)\}", css, re.DOTALL)
    assert len(themes) == 2
    for theme in themes:
        colours = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+)", theme))
        pairs = [(fore, "paper") for fore in ("ink", "muted", "strong", "warn", "bad", "good")]
        pairs += [("ink", "soft"), ("muted", "soft"), ("on-strong", "strong")]
        pairs += [("bad", "bad-soft"), ("good", "good-soft")]
        for fore, back in pairs:
            told = contrast(colour_of(colours[fore]), colour_of(colours[back]))
            assert told >= ENOUGH, (fore, back)
