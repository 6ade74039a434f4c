"""A store of models in S3: published to, fetched from, with a wrong key, and away."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.models.release_cache import ReleaseCache
from ounce_schemas.errors import ArtifactError
from ounce_schemas.model_store import ModelStore
from ounce_schemas.release import blob_path
from ounce_services.registry.contents import read_contents
from ounce_services.registry.publishing import Registry

from tests.services.registry.test_registry import Topic
from tests.support.edge.ladders import DIGITS, write_ladder, write_model
from tests.support.process.s3_proxy import BUCKET, S3Proxy

pytestmark = pytest.mark.kafka  # it needs Java and Maven, as Kafka does
MB = 1_000_000


@pytest.fixture(scope="module")
def server() -> Iterator[S3Proxy]:
    with S3Proxy() as proxy:
        yield proxy


@pytest.fixture
def s3(server: S3Proxy, monkeypatch: pytest.MonkeyPatch) -> S3Proxy:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return server


def test_what_is_written_is_read_and_never_changes(s3: S3Proxy) -> None:
    for store in (ModelStore(f"s3://{BUCKET}/a/folder"), ModelStore(f"s3://{BUCKET}")):
        assert store.names("blobs") == []
        assert not store.has("blobs/a")
        with pytest.raises(FileNotFoundError):
            store.read("blobs/a", 10)
        store.write("blobs/a", b"first")
        store.write("blobs/a", b"other")
        store.write("blobs/b", b"")
        assert store.read("blobs/a", 10) == b"first"
        assert store.read("blobs/b", 10) == b""
        assert store.names("blobs") == ["a", "b"]
        assert b"".join(store.chunks("blobs/a", 2, 5)) == b"rst"
        with pytest.raises(ArtifactError, match="ends before its 9 bytes"):
            list(store.chunks("blobs/a", 0, 9))
        with pytest.raises(ArtifactError, match="has 5 bytes or more"):
            store.read("blobs/a", 5)


def test_a_release_is_published_fetched_and_fetched_on_where_it_was_left(
    s3: S3Proxy, tmp_path: Path
) -> None:
    folder = write_ladder(tmp_path / "models", DIGITS, "a", "b")
    write_model(folder, DIGITS, "large", "x" * (2 * MB + 7))
    store, topic = ModelStore(f"s3://{BUCKET}/published"), Topic()
    any_topic: Any = topic
    record, release = Registry(store, any_topic, author="ann").publish(read_contents(folder))
    assert store.names("releases/digits") == [record.release]
    large = next(f for f in release.files if f.place == "large/model.onnx")
    place = tmp_path / "cache"
    (place / "parts").mkdir(parents=True)
    begun = (folder / "large" / "model.onnx").read_bytes()[: MB + 3]
    (place / "parts" / large.sha256).write_bytes(begun)
    asked = list[tuple[str, int]]()
    chunks = store.chunks

    def noted(path: str, start: int, end: int) -> Iterator[bytes]:
        asked.append((path, start))
        return chunks(path, start, end)

    store.chunks = noted  # type: ignore[method-assign]
    fetched = ReleaseCache(store, place, 10 * MB, ()).fetch("digits", record.release)
    assert (blob_path(large.sha256), MB + 3) in asked
    for file in release.files:
        assert (fetched / "digits" / file.place).read_bytes() == (folder / file.place).read_bytes()


def test_a_wrong_key_and_an_absent_bucket_are_named(
    s3: S3Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = ModelStore("s3://nothing-here/models")
    assert not absent.has("x")
    with pytest.raises(ArtifactError, match=r"takes no x: .*NoSuchBucket"):
        absent.write("x", b"")
    for name, value in s3.environment("wrong").items():
        monkeypatch.setenv(name, value)
    store = ModelStore(f"s3://{BUCKET}/models")
    for ask in (
        lambda: store.has("x"),
        lambda: store.read("x", 9),
        lambda: store.names("releases"),
        lambda: store.write("x", b""),
        lambda: list(store.chunks("x", 0, 9)),
    ):
        with pytest.raises(ArtifactError, match=r"does not serve .*403") as raised:
            ask()
        assert "\n" not in str(raised.value)
        assert "wrong" not in str(raised.value)


def test_a_server_that_is_away_costs_seconds_and_comes_back(s3: S3Proxy) -> None:
    store = ModelStore(f"s3://{BUCKET}/away")
    store.write("x", b"content")
    s3.stop()
    try:
        with pytest.raises(ArtifactError, match=r"the store at s3://models/away does not serve x"):
            store.read("x", 9)
    finally:
        s3.start()
    assert store.read("x", 9) == b"content"


def test_a_url_without_a_bucket_is_no_store() -> None:
    with pytest.raises(ArtifactError, match="s3://: is no URL of a store: it names no bucket"):
        ModelStore("s3://")
