"""Publishing to a store and retiring from it, with a topic that is no Kafka's."""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from ounce_schemas.cells import Cell
from ounce_schemas.documents import CARD_FILE, EXPLANATION_FILE, TASK_FILE, read_card
from ounce_schemas.errors import ArtifactError
from ounce_schemas.event import EventKind, OperationalEvent
from ounce_schemas.model_store import ModelStore
from ounce_schemas.release import InService, Release, signature_path
from ounce_schemas.release_signature import check_signature
from ounce_schemas.task import TensorSpec
from ounce_services.registry.contents import read_contents
from ounce_services.registry.publishing import Registry
from ounce_services.registry.signing import make_key
from ounce_services.registry.store import find_release, whole_digest

from tests.support.edge.ladders import DIGITS, NUMBERS, explained, write_ladder, write_model


class Topic:
    """`ounce.models`, in memory."""

    def __init__(self) -> None:
        self.records: dict[str, InService] = {}
        self.meanwhile: Callable[[], None] | None = None
        self.told: list[bytes] = []

    def events(self) -> Iterator[bytes]:
        return iter(self.told)

    def read(self) -> dict[str, InService]:
        found = dict(self.records)
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return found

    def put(self, served: InService) -> None:
        self.records[served.task] = served


class Desk:
    """A person with a folder of models, a store and a topic."""

    def __init__(self, top: Path) -> None:
        self.folder = write_ladder(top / "models", DIGITS, "a", "b")
        self.store = ModelStore(str(top / "store"))
        self.topic = Topic()
        topic: Any = self.topic
        self.registry = Registry(self.store, topic, author="ann", note="why")

    def publish(self, name: str = "") -> tuple[InService, Release]:
        return self.registry.publish(read_contents(self.folder / name))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_ladder_is_published_and_an_equal_one_is_no_news(desk: Desk) -> None:
    record, release = desk.publish()
    assert list(release.models) == ["a", "b"]
    assert (record.number, record.author, release.note) == (1, "ann", "why")
    assert desk.publish() == (record, release)
    assert find_release(desk.store, "digits", record.release) == release


def test_a_model_is_published_beside_the_others(desk: Desk) -> None:
    first, _ = desk.publish()
    write_model(desk.folder, DIGITS, "c", "model c")
    write_model(desk.folder, DIGITS, "a", "changed, and not published")
    second, release = desk.publish("c")
    assert list(release.models) == ["a", "b", "c"]
    assert release.parent == first.release
    assert second.number == 2
    before = find_release(desk.store, "digits", first.release)
    assert release.models["a"] == before.models["a"]


def test_what_is_added_to_a_task_for_senders_is_published(tmp_path: Path) -> None:
    plain = Cell(column="a", read="number", gaps=False)
    spec = TensorSpec(name="input", datatype="FP32", shape=(1,), columns=("a",), cells=(plain,))
    task = DIGITS.model_copy(update={"inputs": (spec,)})
    folder = write_ladder(tmp_path, task, "a")
    cell = Cell(column="a", read="number", aliases=("b",), missing=(-1,), gaps=True)
    added = task.model_copy(update={"inputs": (spec.model_copy(update={"cells": (cell,)}),)})
    (folder / TASK_FILE).write_text(added.model_dump_json())
    assert read_contents(folder).task == added


def test_an_explanation_goes_along_and_is_checked(desk: Desk) -> None:
    own = explained(DIGITS, "a").card.explanation
    assert own is not None
    digest = hashlib.sha256(b"why").hexdigest()
    path = desk.folder / "a" / CARD_FILE
    card = read_card(path).model_copy(
        update={"explanation": own.model_copy(update={"sha256": digest})}
    )
    path.write_text(card.model_dump_json())
    (desk.folder / "a" / EXPLANATION_FILE).write_bytes(b"other")
    with pytest.raises(ArtifactError, match=r"explanation\.onnx: sha256"):
        desk.publish()
    (desk.folder / "a" / EXPLANATION_FILE).write_bytes(b"why")
    _, release = desk.publish()
    assert "a/explanation.onnx" in [file.place for file in release.files]


def test_a_model_is_retired_and_a_release_restored(desk: Desk) -> None:
    first, _ = desk.publish()
    _, release = desk.registry.retire("digits", ["a"])
    assert list(release.models) == ["b"]
    assert [f.place for f in release.files] == ["b/card.json", "b/model.onnx", "task.json"]
    with pytest.raises(ArtifactError, match="has no model x in service; it has b"):
        desk.registry.retire("digits", ["x"])
    with pytest.raises(ArtifactError, match="no model of task digits would be left"):
        desk.registry.retire("digits", ["b"])
    with pytest.raises(ArtifactError, match="task other has no model b in service; it has none"):
        desk.registry.retire("other", ["b"])
    digest = whole_digest(desk.store, "digits", first.release[:6])
    record, _ = desk.registry.restore("digits", digest)
    assert (record.number, record.release) == (3, first.release)
    with pytest.raises(ArtifactError, match="has no release of task digits beginning with 'zz'"):
        whole_digest(desk.store, "digits", "zz")


def test_what_another_person_publishes_meanwhile_is_not_lost(desk: Desk) -> None:
    desk.publish()
    write_model(desk.folder, DIGITS, "c", "model c")
    write_model(desk.folder, DIGITS, "d", "model d")
    contents = read_contents(desk.folder / "c")
    # The other one publishes between this one's two looks at the topic.
    desk.topic.meanwhile = lambda: desk.publish("d") and None
    record, release = desk.registry.publish(contents)
    assert list(release.models) == ["a", "b", "c", "d"]
    assert record.number == 3


def promise_f1(model: Path) -> None:
    card = json.loads((model / CARD_FILE).read_text())
    (model / CARD_FILE).write_text(json.dumps(card | {"measure": {"kind": "f1", "label": "1"}}))


@pytest.mark.parametrize(
    ("spoil", "text"),
    [
        (lambda f: (f / "a" / "model.onnx").write_text("half"), "half copied?"),
        (lambda f: (f / "a" / "model.onnx").unlink(), "can't be read"),
        (lambda f: (f / "a" / "card.json").unlink(), "card.json: can't be read"),
        (lambda f: write_model(f, NUMBERS, "a", "model a"), "is the card of numbers/a"),
        (lambda f: promise_f1(f / "a"), "card.json: promises F1 of '1', the task's measure"),
        (lambda f: (f / "plans.json").write_text("{half"), "plans.json"),
        (lambda f: (f / "task.json").unlink(), "is not the folder of a task"),
        (lambda f: [shutil.rmtree(f / n) for n in ("a", "b")], "holds no model"),
    ],
)
def test_a_folder_that_is_not_sound_is_not_published(
    desk: Desk, spoil: Callable[[Path], Any], text: str
) -> None:
    spoil(desk.folder)
    with pytest.raises(ArtifactError) as error:
        desk.publish()
    assert text in str(error.value)
    assert desk.topic.records == {}
    assert desk.store.names("releases/digits") == []


def test_a_model_of_another_signature_is_not_put_beside_the_others(desk: Desk) -> None:
    desk.publish()
    other = DIGITS.model_copy(update={"description": "another task"})
    (desk.folder / "task.json").write_text(other.model_dump_json())
    with pytest.raises(ArtifactError, match=r"its task\.json is not the one that serves"):
        desk.publish("a")


def test_what_serves_unsigned_or_signed_by_another_is_signed_anew(
    desk: Desk, tmp_path: Path
) -> None:
    publics = [make_key(tmp_path / name) for name in ("a.pem", "b.pem")]
    topic: Any = desk.topic
    contents = read_contents(desk.folder)
    unsigned, release = desk.publish()
    for number, public in enumerate(publics, 2):
        signer = Registry(desk.store, topic, public.with_suffix(""))
        record, again = signer.publish(contents)
        assert (record.number, again.files) == (number, release.files)
        signature = desk.store.read(signature_path(record.release), 100_000)
        check_signature(again.to_bytes(), signature, [public])
        assert signer.publish(contents) == (record, again)
    assert desk.publish()[0].number == 3  # who has no key asks for no signature
    with pytest.raises(ArtifactError, match="no key there"):
        Registry(desk.store, topic, tmp_path / "absent").publish(contents)
    assert unsigned.release != topic.read()["digits"].release


def test_a_store_that_lost_what_serves_begins_with_a_whole_task(desk: Desk, tmp_path: Path) -> None:
    _, release = desk.publish()
    topic: Any = desk.topic
    fresh = Registry(ModelStore(str(tmp_path / "fresh")), topic)
    with pytest.raises(ArtifactError, match="which serves: name the store that holds it, or"):
        fresh.publish(read_contents(desk.folder / "a"))
    with pytest.raises(ArtifactError, match="which serves: name the store that holds it, or"):
        fresh.retire("digits", ["a"])
    record, again = fresh.publish(read_contents(desk.folder))
    assert (record.number, again.files) == (2, release.files)
    assert find_release(fresh.store, "digits", record.release) == again


def test_a_release_is_signed_by_a_key_and_by_no_other(desk: Desk, tmp_path: Path) -> None:
    public, other = make_key(tmp_path / "k.pem"), make_key(tmp_path / "other.pem")
    assert (tmp_path / "k.pem").stat().st_mode & 0o077 == 0
    with pytest.raises(ArtifactError, match="no key is written: File exists"):
        make_key(tmp_path / "k.pem")
    topic: Any = desk.topic
    signer = Registry(desk.store, topic, tmp_path / "k.pem")
    record, release = signer.publish(read_contents(desk.folder))
    signature = desk.store.read(signature_path(record.release), 100_000)
    check_signature(release.to_bytes(), signature, [other, public])
    for content, by, keys in (
        (release.to_bytes(), signature, [other]),
        (release.to_bytes() + b" ", signature, [public]),
        (release.to_bytes(), b"{}", [public]),
        (release.to_bytes(), signature, [tmp_path / "absent.pub"]),
    ):
        with pytest.raises(ArtifactError, match="its signature is not one by"):
            check_signature(content, by, keys)
    with pytest.raises(ArtifactError, match="can't sign"):
        Registry(desk.store, topic, public).retire("digits", ["a"])
    with pytest.raises(ArtifactError, match="no key there; make one with"):
        Registry(desk.store, topic, tmp_path / "absent").retire("digits", ["a"])


def test_commands_list_and_show_what_the_store_holds(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ounce_services.registry import command

    monkeypatch.setattr(command, "_topic", lambda settings, replication=1: desk.topic)
    options = [f"--store={desk.store.url}", "--kafka=nowhere:1"]

    def run(*arguments: str) -> str:
        result = CliRunner().invoke(command.command, [*arguments, *options])
        assert result.exit_code == 0, result.output
        return result.output

    assert run("list") == f"{desk.store.url} holds no release\n"
    text = run("publish", str(desk.folder), "--author=ann", "--note=first")
    assert "of task digits serves as number 1: a, b" in text
    run("retire", "digits", "b", "--author=bob")
    first, second = sorted(run("list").splitlines(), key=lambda line: "bob" in line)
    assert "2 models" in first
    assert first.endswith("first")
    assert "serves" not in first
    assert "1 model" in second
    assert second.endswith("serves as number 2")
    shown = run("show", "digits")
    assert "serves   as number 2 since" in shown
    assert "signed   no" in shown
    digest = hash_of(desk.folder / "a" / "model.onnx")
    assert f"{digest}             7 bytes  a/model.onnx" in shown
    before = first.split()[1]
    assert "serves   no" in run("show", "digits", before)
    assert f"release {before} of task digits serves as number 3" in run("restore", "digits", before)
    desk.topic.told = [told(EventKind.MODELS_REFUSED, before, "does\nnot run")]
    listed = [line for line in run("list").splitlines() if before in line]
    assert "asked for as number 3, refused by 1 worker" in listed[0]
    shown = run("show", "digits")
    assert "asked    as number 3 since" in shown
    assert "worker   w serves none that it told of, told 1970-01-01 00:00:07 UTC" in shown
    assert "  ! does\\nnot run" in shown
    bad = CliRunner().invoke(command.command, ["show", "../x", *options])
    assert bad.exit_code == 2
    assert json.loads((desk.folder / "a" / "card.json").read_text())["sha256"].startswith(digest)


def told(kind: EventKind, release: str, text: str) -> bytes:
    """An event of a worker."""
    return msgspec.json.encode(OperationalEvent(kind, "digits", release, text, 7000, "w"))


def hash_of(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
