"""Why a model has no engine is kept, shown, and said where it is to be loaded."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from ounce_edge.models.engines_command import command as engines_command
from ounce_edge.models.runtimes.base import EngineAbsentError
from ounce_edge.models.runtimes.tensorrt.cache import EngineCache
from ounce_edge.models.runtimes.tensorrt.engine_key import EngineKey
from ounce_edge.models.runtimes.tensorrt.refusals import Refusal, Refusals
from ounce_edge.models.runtimes_command import command as runtimes_command
from ounce_schemas.errors import ArtifactError

from tests.support.tensorrt.fake_runtime import make_fake

KEY = EngineKey("0" * 64, "tensorrt 10.3.0", "NVIDIA L4", "8.9", "12.6", 32, 256, "none")
WHY = "tensorrt 10.3.0 can't parse it: operator TreeEnsemble"
PATH = Path("models/digits/model/model.onnx")


def test_a_reason_is_found_again_and_forgotten(tmp_path: Path) -> None:
    refusals = EngineCache(tmp_path).refusals
    assert refusals.find(KEY) is None
    refusals.keep(Refusal(KEY, "digits/tree", "another"))
    refusals.keep(Refusal(KEY, "digits/tree", WHY))
    assert Refusals(tmp_path).find(KEY) == WHY
    assert refusals.find(msgspec.structs.replace(KEY, tensorrt="tensorrt 10.16.1")) is None
    refusals.drop(KEY)
    refusals.drop(KEY)
    assert refusals.find(KEY) is None


def test_two_processes_may_keep_the_same_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusals, other = EngineCache(tmp_path).refusals, Refusal(KEY, "digits/tree", "another")
    replace = Path.replace

    def late(path: Path, target: Path) -> Path:
        monkeypatch.setattr(Path, "replace", replace)
        refusals.keep(other)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", late)
    refusals.keep(Refusal(KEY, "digits/tree", WHY))
    assert refusals.find(KEY) == WHY
    assert len(list(tmp_path.iterdir())) == 1


def test_a_damaged_file_says_nothing_and_is_pruned(tmp_path: Path) -> None:
    refusals = EngineCache(tmp_path).refusals
    refusals.keep(Refusal(KEY, "digits/tree", WHY))
    [path] = tmp_path.iterdir()
    path.write_bytes(path.read_bytes()[:-1])
    assert (refusals.find(KEY), refusals.list()) == (None, [])
    refusals.prune({KEY.model_sha256})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_absent_has_none_and_is_not_made(tmp_path: Path) -> None:
    assert Refusals(tmp_path / "absent").list() == []
    assert list(tmp_path.iterdir()) == []


def test_a_reason_that_can_not_be_kept_is_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="can't be written: No such file"):
        Refusals(tmp_path / "absent").keep(Refusal(KEY, "digits/tree", WHY))


def test_loading_says_the_reason_else_that_no_engine_is_built(tmp_path: Path) -> None:
    runtime = make_fake(tmp_path)
    with pytest.raises(EngineAbsentError, match="build it with `ounce engines build digits`"):
        runtime.load(PATH, b"tree")
    key = runtime.target.key(b"tree")
    EngineCache(tmp_path).refusals.keep(Refusal(key, "digits/model", WHY))
    with pytest.raises(ArtifactError, match=f"^{PATH}: {WHY}$") as found:
        runtime.load(PATH, b"tree")
    assert not isinstance(found.value, EngineAbsentError)


def test_the_command_shows_reasons_until_the_models_are_gone(tmp_path: Path) -> None:
    cache = ["--cache", str(tmp_path / "engines")]
    EngineCache(tmp_path / "engines").refusals.keep(Refusal(KEY, "digits/tree", WHY))
    lines = CliRunner().invoke(runtimes_command, cache).stdout.splitlines()
    assert lines[-2:] == ["digits/tree: on the CPU alone, on NVIDIA L4", f"  {WHY}"]
    pruned = CliRunner().invoke(engines_command, ["prune", "--models", str(tmp_path), *cache])
    assert pruned.exit_code == 0
    assert "digits/tree" not in CliRunner().invoke(runtimes_command, cache).stdout
