"""Engines on disk: found again, never half of one, never one of another thing."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache, EngineKey
from ounce_schemas.errors import ArtifactError

KEY = EngineKey("0" * 64, "tensorrt 10.3.0", "NVIDIA L4", "8.9", "12.6", 32, 256, "none")
ENGINE = b"an engine\nof two lines"
OTHERS = {
    "model_sha256": "1" * 64,
    "tensorrt": "tensorrt 10.16.1",
    "gpu": "NVIDIA T4",
    "capability": "7.5",
    "driver": "13.0",
    "best": 16,
    "most": 128,
    "flags": "others",
}


@pytest.fixture
def cache(tmp_path: Path) -> EngineCache:
    return EngineCache(tmp_path / "engines")


def test_an_engine_is_found_again(cache: EngineCache, tmp_path: Path) -> None:
    assert cache.read(KEY) is None
    path = cache.write(KEY, "digits/mlp", ENGINE)
    assert EngineCache(tmp_path / "engines").read(KEY) == ENGINE
    assert list((tmp_path / "engines").iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_every_part_of_the_key_is_told_apart(cache: EngineCache) -> None:
    assert OTHERS.keys() == set(EngineKey.__struct_fields__)
    cache.write(KEY, "digits/mlp", ENGINE)
    for name, value in OTHERS.items():
        assert cache.read(msgspec.structs.replace(KEY, **{name: value})) is None


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:-1],
        lambda content: content[:20],
        lambda content: content + b"x",
        lambda content: content.replace(b"two", b"2wo"),
        lambda content: content.replace(b"8.9", b"9.0"),
        lambda content: b"{}\n" + ENGINE,
    ],
)
def test_a_damaged_engine_is_removed(cache: EngineCache, damage: Callable[[bytes], bytes]) -> None:
    path = cache.write(KEY, "digits/mlp", ENGINE)
    path.write_bytes(damage(path.read_bytes()))
    assert cache.read(KEY) is None
    assert not path.exists()


def test_an_engine_of_another_key_under_this_name_is_removed(cache: EngineCache) -> None:
    other = cache.write(msgspec.structs.replace(KEY, gpu="NVIDIA T4"), "digits/mlp", ENGINE)
    path = cache.write(KEY, "digits/mlp", ENGINE)
    other.replace(path)
    assert cache.read(KEY) is None


def test_a_write_that_fails_leaves_what_was_there(
    cache: EngineCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write(KEY, "digits/mlp", ENGINE)

    def fail(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(ArtifactError, match=r"\.engine: can't be written: No space left"):
        cache.write(KEY, "digits/mlp", b"another")
    assert cache.read(KEY) == ENGINE
    assert len(list((tmp_path / "engines").iterdir())) == 1


@pytest.mark.parametrize("mode", [0o770, 0o707])
def test_a_folder_that_others_can_write_to_is_refused(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "engines"
    folder.mkdir()
    folder.chmod(mode)
    with pytest.raises(ArtifactError, match=r"other users can write there.* chmod 700"):
        EngineCache(folder)


def test_a_folder_of_another_user_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(ArtifactError, match=r"engines: belongs to another user"):
        EngineCache(tmp_path / "engines")


def test_a_folder_that_can_not_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match=r"file/engines: can't be made: Not a directory"):
        EngineCache(tmp_path / "file/engines")


def fill(cache: EngineCache) -> list[EngineKey]:
    """Three engines, the one of 2 used least lately."""
    keys = [msgspec.structs.replace(KEY, most=n) for n in (1, 2, 3)]
    for key, at_s in zip(keys, (300, 100, 200), strict=True):
        os.utime(cache.write(key, f"digits/{key.most}", ENGINE), (at_s, at_s))
    return keys


def test_a_list_has_those_that_were_used_last_first(cache: EngineCache) -> None:
    keys = fill(cache)
    assert [engine.model for engine in cache.list()] == ["digits/1", "digits/3", "digits/2"]
    cache.read(keys[1])
    assert cache.list()[0].model == "digits/2"
    assert {engine.key for engine in cache.list()} == set(keys)


def test_pruning_removes_what_is_not_kept_and_what_is_too_much(cache: EngineCache) -> None:
    fill(cache)
    sizes = {engine.model: engine.size_bytes for engine in cache.list()}
    freed = cache.prune(lambda engine: engine.model != "digits/1", sizes["digits/3"])
    assert [engine.model for engine in cache.list()] == ["digits/3"]
    assert freed == sizes["digits/1"] + sizes["digits/2"]
    assert cache.prune(lambda engine: True) == 0


def test_a_folder_that_can_only_be_read_has_its_engines_all_the_same(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = cache.write(KEY, "digits/mlp", ENGINE)

    def refuse(*_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "utime", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    assert cache.read(KEY) == ENGINE
    path.write_bytes(b"damaged")
    assert cache.read(KEY) is None


def test_pruning_a_folder_that_can_only_be_read_is_told(
    cache: EngineCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache.write(KEY, "digits/mlp", ENGINE)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(ArtifactError, match=r"\.engine: can't be removed: Read-only file system"):
        cache.prune(lambda engine: False)


def test_a_damaged_engine_is_listed_as_such(cache: EngineCache) -> None:
    path = cache.write(KEY, "digits/mlp", ENGINE)
    path.write_bytes(b"nothing")
    [engine] = cache.list()
    assert (engine.key, engine.model) == (None, "damaged")


def test_kernels_are_kept_beside_engines_and_pruned_with_them(
    cache: EngineCache, tmp_path: Path
) -> None:
    engine = cache.write(KEY, "digits/mlp", ENGINE)
    before = cache.contents()
    assert cache.read_kernels(KEY) is None
    kernels = cache.write_kernels(KEY, "digits/mlp", b"kernels")
    assert kernels.stat().st_mode & 0o777 == 0o600
    assert (cache.read(KEY), cache.read_kernels(KEY)) == (ENGINE, b"kernels")
    assert cache.contents() == before  # nothing new to load
    assert [kept.path for kept in cache.list()] == [engine]
    assert cache.prune(lambda kept: kept.key == KEY) == 0
    assert cache.prune(lambda kept: False) > 0
    assert not engine.exists()
    assert not kernels.exists()


def test_damaged_kernels_are_removed(cache: EngineCache) -> None:
    path = cache.write_kernels(KEY, "digits/mlp", b"kernels")
    path.write_bytes(path.read_bytes().replace(b"kernels", b"kernals"))
    assert cache.read_kernels(KEY) is None
    assert not path.exists()
