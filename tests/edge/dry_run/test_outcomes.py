"""A replay that remembers outcomes finds what one finds that makes each decision again."""

from pathlib import Path
from typing import Any

import pytest
from ounce_edge.dry_run import outcomes
from ounce_edge.dry_run.foresight import Foresight
from ounce_edge.dry_run.recorded import FolderRecording
from ounce_edge.dry_run.replay import FileReplay
from ounce_edge.dry_run.replaying import replay_recorded
from ounce_schemas.policy import Policy

from benchmarks.policies import replaying

POLICIES: dict[str, dict[str, Any]] = {
    "targets": replaying.AFTER,
    "two routes": {**replaying.AFTER, "rules": replaying.RULES},
    "priorities": {
        **replaying.AFTER,
        "rules": [{**replaying.RULES[0], "priority": 2}, {**replaying.RULES[1], "priority": -1}],
    },
    "refused": {**replaying.AFTER, "min_accuracy": 0.999, "fallback": "refuse"},
    "explores": {**replaying.AFTER, "exploration": 0.3},
}


def found_in(folder: Path, policy: dict[str, Any]) -> Foresight:
    return replay_recorded(Policy.model_validate(policy), FolderRecording(folder))["digits"]


@pytest.fixture(scope="module", params=[(1, 1.0), (3, 1.0), (3, 400.0), (9, 100.0)])
def recorded(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Decisions on few messages each, also such that hardly are in time."""
    poll, slower = request.param
    folder = tmp_path_factory.mktemp("decisions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replaying, "MS", {k: slower * ms for k, ms in replaying.MS.items()})
        replaying.record(folder, 600, poll)
    return folder


@pytest.mark.parametrize("name", POLICIES)
def test_the_foresight_is_exactly_the_same(
    recorded: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    remembered = found_in(recorded, POLICIES[name])
    monkeypatch.setattr(outcomes, "MOST_MESSAGES", 0)
    again = found_in(recorded, POLICIES[name])
    assert remembered == again
    assert again.before.n >= 600
    assert again.n_changed > 0


@pytest.mark.parametrize("recorded", [(1, 1.0)], indirect=True)
def test_most_decisions_on_one_message_are_not_made_again(
    recorded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n, make = 0, FileReplay._make_again

    def counted(*arguments: Any) -> Any:
        nonlocal n
        n += 1
        return make(*arguments)

    monkeypatch.setattr(FileReplay, "_make_again", counted)
    found = found_in(recorded, POLICIES["targets"])
    assert 50 <= n < found.n_decisions / 3


@pytest.mark.parametrize("recorded", [(3, 1.0)], indirect=True)
def test_what_is_remembered_is_bounded(recorded: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exact = found_in(recorded, POLICIES["two routes"])
    monkeypatch.setattr(outcomes, "_MOST_KNOWN", 2)
    assert found_in(recorded, POLICIES["two routes"]) == exact
