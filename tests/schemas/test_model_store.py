"""Stores in a folder, in memory (as object stores are) and behind HTTP."""

import builtins
import os
import sys
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ounce_schemas.errors import ArtifactError
from ounce_schemas.model_store import ModelStore


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ModelStore:
    place = str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path}"
    return ModelStore(place)


def test_what_is_written_is_read_and_never_changes(store: ModelStore) -> None:
    assert store.names("blobs") == []
    assert not store.has("blobs/a")
    with pytest.raises(FileNotFoundError):
        store.read("blobs/a", 10)
    store.write("blobs/a", b"first")
    store.write("blobs/a", b"other")
    store.write("blobs/b", b"")
    assert store.read("blobs/a", 10) == b"first"
    assert store.names("blobs") == ["a", "b"]
    assert b"".join(store.chunks("blobs/a", 2, 5)) == b"rst"
    assert list(store.chunks("blobs/b", 0, 0)) == []


def test_more_bytes_than_may_be_and_fewer_than_are_said_are_errors(store: ModelStore) -> None:
    store.write("x", b"12345")
    with pytest.raises(ArtifactError, match="has 5 bytes or more"):
        store.read("x", 5)
    with pytest.raises(ArtifactError, match="ends before its 9 bytes"):
        list(store.chunks("x", 0, 9))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def served(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / "a").write_bytes(bytes(range(100)))
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(tmp_path)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_store_behind_http_is_read(served: str) -> None:
    store = ModelStore(served)
    assert store.has("blobs/a")
    assert store.read("blobs/a", 1000) == bytes(range(100))
    with pytest.raises(FileNotFoundError):
        store.read("blobs/b", 10)


def test_a_server_that_gives_whole_files_only_is_read_too(served: str, tmp_path: Path) -> None:
    content = os.urandom(3 << 20)
    (tmp_path / "blobs" / "large").write_bytes(content)
    store = ModelStore(served)
    for start in (0, 100, 2 << 20):
        assert b"".join(store.chunks("blobs/large", start, len(content))) == content[start:]
    with pytest.raises(ArtifactError, match="ends before"):
        list(store.chunks("blobs/large", 0, len(content) + 1))


def test_a_store_that_is_away_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"the store at http://127\.0\.0\.1:1 does not serve"):
        ModelStore("http://127.0.0.1:1").read("blobs/a", 10)
    (tmp_path / "file").write_text("")
    with pytest.raises(ArtifactError, match="does not serve blobs/a"):
        ModelStore(str(tmp_path / "file")).write("blobs/a", b"")


def test_what_can_not_be_reached_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] in ("obstore", "ounce_schemas"):
            raise ImportError("No module named 'obstore'", name="obstore")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ArtifactError, match=r'pip install "ounce\[s3\]"'):
        ModelStore("s3://bucket/models")
    with pytest.raises(ArtifactError, match="no URL of a store"):
        ModelStore("nonsense://x")


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("https://models.invalid/f", "aiohttp", "http"),
        ("s3://bucket/f", "obstore.store", "s3"),
        ("/srv/models", "fsspec", "edge"),
    ],
)
def test_the_extra_that_reads_it_is_named(
    url: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for imported in ("fsspec.implementations.http", "ounce_schemas.s3_files"):
        monkeypatch.delitem(sys.modules, imported, raising=False)
    with pytest.raises(ArtifactError, match=rf'install it with pip install "ounce\[{extra}\]"'):
        ModelStore(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:9000",
        "localhost",
        "https://",
        "http://a b",
        "http://[::1",
        "http://x:0x",
        "https://x:99999",
        "http://ü",
        "http://300.1.1.999",
        "http://minio.1:9000",
        "http://minio.0x1",
        "http://[1::1::1]:9000",
        "http://xn--a",
    ],
)
def test_an_endpoint_that_is_no_url_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(ArtifactError, match=r"AWS_ENDPOINT_URL is '.*': give a URL such as https"):
        ModelStore("s3://bucket/folder")


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("AWS_ENDPOINT", "minio", "give a URL"),
        ("AWS_ENDPOINT_URL_S3", "minio", "give a URL"),
        ("AWS_METADATA_ENDPOINT", "minio", "give a URL"),
        ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "x", "begins with /"),
        ("AWS_S3_EXPRESS", "x", 'can\'t set up .* "x" as boolean; check the AWS_ settings'),
    ],
)
def test_other_settings_that_can_not_be_are_named(
    name: str, value: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ArtifactError, match=says):
        ModelStore("s3://bucket/folder")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_ACCESS_KEY_ID", "key\n"),
        ("AWS_TOKEN", "token\n"),
        ("AWS_REGION", "eu west"),
        ("AWS_DEFAULT_REGION", "eu\n"),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "file\n"),
    ],
)
def test_a_setting_with_a_line_end_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ArtifactError, match=f"{name} holds a blank, a line end") as refused:
        ModelStore("s3://bucket/folder")
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9000",
        "https://s3.example.org",
        "http://[::1]:9",
        "http://minio_1:9000",
        "https://s3.example.org./base",
        "https://xn--bcher-kva.example",
    ],
)
def test_an_endpoint_that_is_a_url_is_taken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert ModelStore("s3://bucket/folder").url == "s3://bucket/folder"


def test_no_extra_is_named_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ArtifactError, match=r"gcsfs.*; or take a folder, s3://BUCKET") as refused:
        ModelStore("gs://bucket/folder")
    assert "ounce[" not in str(refused.value)
