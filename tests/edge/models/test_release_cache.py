"""Releases are fetched whole and checked, or not at all."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.release_cache import ReleaseCache
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_schemas.errors import ArtifactError
from ounce_schemas.model_store import ModelStore
from ounce_schemas.release import blob_path, read_release, release_path, signature_path
from ounce_services.registry.signing import make_key, sign

from tests.support.edge.ladders import DIGITS, write_ladder, write_model
from tests.support.edge.stores import put_release

MB = 1_000_000


class Bench:
    """A folder of models, a store that holds it, and a cache."""

    def __init__(self, top: Path) -> None:
        self.store = ModelStore(str(top / "store"))
        self.folder = write_ladder(top / "models", DIGITS, "a", "b")
        self.place = top / "cache"
        self.digest = put_release(self.store, self.folder)

    def cache(self, most_bytes: int = MB) -> ReleaseCache:
        return ReleaseCache(self.store, self.place, most_bytes, ())

    def fetch(self) -> Path:
        return self.cache().fetch("digits", self.digest)

    def publish(self, name: str, content: str) -> str:
        write_model(self.folder, DIGITS, name, content)
        self.digest = put_release(self.store, self.folder)
        return self.digest

    def blob(self, place: str) -> Path:
        """Where the store keeps a file of the release."""
        content = self.store.read(release_path("digits", self.digest), MB)
        files = {f.place: f.sha256 for f in read_release(content, self.digest).files}
        return Path(self.store.url) / blob_path(files[place])


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def files(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_release_is_a_folder_of_models(bench: Bench) -> None:
    place = bench.fetch()
    assert files(place / "digits") == files(bench.folder)
    fakes = {"a": FakeModel(DIGITS), "b": FakeModel(DIGITS)}
    assert len(load_ladder(place, "digits", FakeRuntime(fakes)).models) == 2


def test_what_is_here_is_not_fetched_again(bench: Bench) -> None:
    bench.fetch()
    first = bench.blob("a/model.onnx")
    first.unlink()  # the store has it no more
    bench.publish("c", "model c")
    bench.blob("a/model.onnx").unlink(missing_ok=True)
    place = bench.fetch()
    assert names(place / "digits") == ["a", "b", "c", "task.json"]
    inode = (place / "digits" / "a" / "model.onnx").stat()
    assert inode.st_nlink == 2


def test_a_store_that_is_away_does_not_matter_for_what_is_here(bench: Bench) -> None:
    place = bench.fetch()
    bench.cache().serves("digits", bench.digest)
    Path(bench.store.url).rename(bench.place.with_name("away"))
    assert bench.fetch() == place
    assert bench.cache().last("digits") == place
    assert bench.cache().last("other") is None
    with pytest.raises(ArtifactError, match="release 000000000000 is not there"):
        bench.cache().fetch("digits", "0" * 64)


def test_a_file_that_was_fetched_in_part_is_fetched_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = os.urandom(100).hex()
    bench.publish("c", content)
    real, asked = bench.store.chunks, []

    def chunks(path: str, start: int, end: int) -> Iterator[bytes]:
        if end != len(content):
            yield from real(path, start, end)
            return
        asked.append(start)
        yield from real(path, start, 60)
        if len(asked) == 1:
            raise ArtifactError("the store is away")
        yield from real(path, 60, end)

    monkeypatch.setattr(bench.store, "chunks", chunks)
    with pytest.raises(ArtifactError, match="the store is away"):
        bench.fetch()
    assert not (bench.place / "releases" / bench.digest).exists()
    place = bench.fetch()
    assert asked == [0, 60]
    assert (place / "digits" / "c" / "model.onnx").read_text() == content


def test_a_wrong_digest_is_refused_and_nothing_of_it_stays(bench: Bench) -> None:
    bench.blob("b/model.onnx").write_bytes(b"model x")
    with pytest.raises(ArtifactError, match=r"b/model\.onnx: sha256 .* is not the release's"):
        bench.fetch()
    assert not (bench.place / "releases" / bench.digest).exists()
    assert names(bench.place / "parts") == []
    bench.blob("b/model.onnx").write_bytes(b"model b")
    bench.fetch()


def test_a_release_that_was_changed_or_is_of_another_task_is_refused(bench: Bench) -> None:
    path = Path(bench.store.url) / release_path("digits", bench.digest)
    other = Path(bench.store.url) / release_path("other", bench.digest)
    other.parent.mkdir()
    other.write_bytes(path.read_bytes())
    with pytest.raises(ArtifactError, match="is of task digits, not of other"):
        bench.cache().fetch("other", bench.digest)
    path.write_bytes(path.read_bytes().replace(b'"author":"a"', b'"author":"b"'))
    with pytest.raises(ArtifactError, match="it was changed"):
        bench.fetch()


def test_what_was_changed_on_this_disk_is_fetched_again(bench: Bench) -> None:
    place = bench.fetch()
    (place / "digits" / "a" / "model.onnx").write_bytes(b"changed")
    assert bench.fetch() == place
    assert files(place / "digits") == files(bench.folder)


def test_a_full_disk_is_named_and_its_room_given_back(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full as soon as half a file is written: a patched write."""

    def chunks(path: str, start: int, end: int) -> Iterator[bytes]:
        yield b"half"
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patched:
        patched.setattr(bench.store, "chunks", chunks)
        with pytest.raises(ArtifactError, match="can't be kept: No space left on device"):
            bench.fetch()
    assert names(bench.place / "parts") == []
    assert files(bench.fetch() / "digits") == files(bench.folder)


def test_the_cache_forgets_what_does_not_serve_and_never_what_does(bench: Bench) -> None:
    sizes = []
    digests = []
    for i in range(4):
        digests.append(bench.publish("c", f"{i}" * 50_000))
        cache = bench.cache(150_000)
        place = cache.fetch("digits", bench.digest)
        cache.serves("digits", bench.digest)
        sizes.append(sum(p.stat().st_size for p in place.parent.rglob("model.onnx")))
    kept = names(bench.place / "releases")
    assert digests[3] in kept
    assert digests[0] not in kept
    assert max(sizes) < 150_000
    bench.publish("c", "x" * 120_000)
    with pytest.raises(ArtifactError, match="raise --models-cache-mb"):
        bench.cache(150_000).fetch("digits", bench.digest)
    assert (bench.place / "releases" / digests[3]).is_dir()


def test_a_link_that_can_not_be_made_is_a_copy(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.fetch()
    bench.publish("c", "model c")

    def refuses(self: Path, target: Any) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", refuses)
    assert files(bench.fetch() / "digits") == files(bench.folder)


def test_only_what_a_known_key_has_signed_is_kept(bench: Bench, tmp_path: Path) -> None:
    public, other = make_key(tmp_path / "k.pem"), make_key(tmp_path / "other.pem")

    def fetch(*keys: Path) -> Path:
        return ReleaseCache(bench.store, bench.place, MB, keys).fetch("digits", bench.digest)

    with pytest.raises(ArtifactError, match="is not signed"):
        fetch(public)
    content = bench.store.read(release_path("digits", bench.digest), MB)
    bench.store.write(signature_path(bench.digest), sign(content, tmp_path / "k.pem"))
    with pytest.raises(ArtifactError, match="its signature is not one by"):
        fetch(other)
    assert not (bench.place / "releases").exists()  # nothing was fetched
    place = fetch(other, public)
    assert fetch(public) == place
    with pytest.raises(ArtifactError, match="its signature is not one by"):
        fetch(other)  # what is here is held against the keys of today
    bench.fetch()  # without a signature, for a worker that needs none
    with pytest.raises(ArtifactError, match="its signature is not one by"):
        fetch(other)
