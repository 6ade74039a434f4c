"""Models over HTTP: a release of the store is put in service, a model is retired."""

from pathlib import Path

from ounce_schemas.model_store import ModelStore
from ounce_services.control.settings import ControlSettings

from tests.services.control.conftest import Caller, MemoryTopics
from tests.support.edge.ladders import DIGITS, write_ladder
from tests.support.edge.stores import put_release


def test_a_release_is_put_in_service_and_a_model_retired_by_who_knows_what_serves(
    as_: Caller, settings: ControlSettings, topics_in_memory: MemoryTopics, tmp_path: Path
) -> None:
    folder = write_ladder(tmp_path / "ladders", DIGITS, "a", "b")
    digest = put_release(ModelStore(str(settings.store)), folder)
    ann, url = as_("editor"), "/v1/models/digits"
    assert (ann.get("/v1/models").json(), ann.get(url).status_code) == ([], 404)
    chosen = {"release": digest[:8]}
    assert ann.put(f"{url}/serving", json=chosen).status_code == 428
    absent = ann.put(f"{url}/serving", json={"release": "0000"}, headers={"If-Match": "0"})
    assert absent.status_code == 404
    put = ann.put(f"{url}/serving", json=chosen, headers={"If-Match": '"0"'})
    assert (put.status_code, put.headers["etag"], put.json()["models"]) == (201, '"1"', ["a", "b"])
    assert topics_in_memory.served["digits"].release == digest
    stale = ann.post(f"{url}/retire", json={"models": ["a"]}, headers={"If-Match": '"0"'})
    assert (stale.status_code, "number 1" in stale.text) == (412, True)
    assert len(ann.get(f"{url}/releases").json()) == 1  # nothing was made for it
    unknown = ann.post(f"{url}/retire", json={"models": ["c"]}, headers={"If-Match": '"1"'})
    assert (unknown.status_code, "no model c" in unknown.text) == (422, True)
    gone = ann.post(f"{url}/retire", json={"models": ["a"]}, headers={"If-Match": '"1"'})
    assert (gone.status_code, gone.json()["models"]) == (201, ["b"])
    serves = {r["release"]: r["serves"] for r in ann.get(f"{url}/releases").json()}
    assert serves == {digest: False, gone.json()["release"]: True}
    detail = ann.get(f"{url}/releases/{digest[:8]}").json()
    assert {file["place"] for file in detail["files"]} >= {"task.json", "a/card.json"}
    acme = as_("editor", "acme")
    assert acme.put(f"{url}/serving", json=chosen, headers={"If-Match": '"2"'}).status_code == 403
    topics_in_memory.is_away = True
    assert ann.get(url).status_code == 503


def test_one_tenant_reads_no_notes_of_releases(
    as_: Caller, settings: ControlSettings, tmp_path: Path
) -> None:
    folder = write_ladder(tmp_path / "ladders", DIGITS, "a")
    digest = put_release(ModelStore(str(settings.store)), folder, note="for the rival")
    paths = ("/v1/models/digits/releases", f"/v1/models/digits/releases/{digest}", "/models")
    for tenant, is_shown in ((None, True), ("acme", False)):
        told = [as_("viewer", tenant).get(path).text for path in paths]
        assert all(digest[:12] in text for text in told)
        assert ["for the rival" in text for text in told] == [is_shown] * 3
