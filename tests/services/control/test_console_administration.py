"""The console's pages of models, keys and the audit log."""

import re
from pathlib import Path

from ounce_schemas.model_store import ModelStore
from ounce_services.control.access.principal import EVERYBODY
from ounce_services.control.plane import Plane
from ounce_services.control.settings import ControlSettings

from tests.services.control.conftest import MemoryTopics, logged_in
from tests.support.edge.ladders import DIGITS, write_ladder
from tests.support.edge.stores import put_release

SCRIPT = '"><script>alert(1)</script>'


def test_a_release_is_put_in_service_and_a_model_retired(
    plane: Plane, settings: ControlSettings, topics_in_memory: MemoryTopics, tmp_path: Path
) -> None:
    ann = logged_in(plane)
    assert "Nothing is published yet" in ann.get("/models").text
    folder = write_ladder(tmp_path / "ladders", DIGITS, "a", "b")
    digest = put_release(ModelStore(str(settings.store)), folder)
    assert f"Let {digest[:12]} serve" in ann.get("/models").text
    form = {"task": "digits", "base": 0, "release": digest}
    eve = logged_in(plane, "viewer")
    assert "<button" not in eve.get("/models").text.partition("<main")[2]
    assert eve.post("/models/serve", data=form).status_code == 403
    assert logged_in(plane, tenant="acme").post("/models/serve", data=form).status_code == 403
    assert "serves as number 1" in ann.post("/models/serve", data=form).text
    assert ann.post("/models/serve", data=form).status_code == 412
    nothing = ann.post("/models/retire", data={"task": "digits", "base": 1})
    assert (nothing.status_code, "tick the models" in nothing.text) == (422, True)
    text = ann.post("/models/retire", data={"task": "digits", "base": 1, "model": ["a"]}).text
    assert "serves as number 2" in text
    ticks = re.findall(r'name="model" value="(\w)"', text)
    assert ticks == ["b"]


def test_the_page_of_models_says_what_is_away(plane: Plane, topics_in_memory: MemoryTopics) -> None:
    topics_in_memory.is_away = True
    answer = logged_in(plane, "viewer").get("/models")
    assert (answer.status_code, "Kafka is away" in answer.text) == (200, True)


def test_a_key_is_made_shown_once_and_revoked(plane: Plane) -> None:
    admin = logged_in(plane, "admin")
    made = admin.post("/keys", data={"name": SCRIPT, "role": "viewer", "tenant": " acme "})
    key = re.search(r"ounce_[0-9a-f]{16}_[\w-]{43}", made.text)[0]
    assert "<script>alert" not in made.text
    assert key not in admin.get("/keys").text
    found = plane.gate.keys.find(key)
    assert (found.name, found.role, found.tenant) == (SCRIPT, "viewer", "acme")
    after = admin.post("/keys/revoke", data={"id": found.key_id})
    assert "revoked" in after.text
    assert [k.id for k in plane.gate.keys.list(EVERYBODY) if k.revoked_ms] == [found.key_id]
    for wrong in ({"name": ""}, {"name": "x", "role": "king"}, {"name": "x\x00", "role": "viewer"}):
        assert admin.post("/keys", data=wrong).status_code == 422


def test_keys_and_the_audit_log_are_for_administrators_and_their_own_tenant(plane: Plane) -> None:
    ann = logged_in(plane, "editor")
    for path in ("/keys", "/audit"):
        assert ann.get(path).status_code == 403
        assert path not in ann.get("/").text
    assert ann.post("/keys", data={"name": "x", "role": "admin"}).status_code == 403
    acme = logged_in(plane, "admin", "acme")
    assert acme.post("/keys", data={"name": "x", "role": "viewer"}).status_code == 403
    page = acme.post("/keys", data={"name": "own", "role": "viewer", "tenant": "acme"}).text
    assert "own" in page
    rows = re.findall(r'<th scope="row" class="any">(.*?)</th>', acme.get("/audit").text)
    assert rows == ["ann"]  # nothing of others


def test_the_audit_log_is_read_page_by_page(plane: Plane) -> None:
    for n in range(150):
        plane.audit.add(EVERYBODY, "policy.apply", f"subject-{n}", SCRIPT)
    admin = logged_in(plane, "admin")
    first = admin.get("/audit").text
    assert "<script>alert" not in first
    assert re.findall(r"subject-(\d+)", first) == [str(n) for n in range(149, 49, -1)]
    older = re.search(r'href="(/audit\?before=\d+)"', first)[1]
    last = admin.get(older).text
    assert re.findall(r"subject-(\d+)", last) == [str(n) for n in range(49, -1, -1)]
    assert "Older" not in last
