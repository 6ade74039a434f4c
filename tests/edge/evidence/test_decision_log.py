"""Recorded decisions: made again they are the same, and `ounce explain` shows why."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ounce_edge.evidence.decided import Decided
from ounce_edge.evidence.decision_entry import FORMAT, replay
from ounce_edge.evidence.decision_log import DecisionLog
from ounce_edge.evidence.decision_reader import read_decisions
from ounce_edge.evidence.explain import command
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.recommender.beliefs.accuracy import AccuracyPrior
from ounce_edge.recommender.beliefs.latency import LatencyBelief
from ounce_edge.recommender.beliefs.plan_beliefs import Plans
from ounce_edge.recommender.beliefs.plans import Model, Plan, PlanStep
from ounce_edge.recommender.rule.decision import MOST_CONSIDERED, decide
from ounce_edge.recommender.rule.exploration import Draws, explore
from ounce_schemas.errors import ArtifactError
from ounce_schemas.routing import Choice, Fallback, Objective

from tests.support.edge.decisions import header_of
from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, raw, serve, served
from tests.support.edge.pipelines import edition, standing_clocks


def plans(objective: Objective, calls: list[tuple[int, int, float]]) -> Plans:
    models = [
        Model("light", 10, LatencyBelief([1, 64], [0.1, 1.0], [0.2, 1.5])),
        Model("heavy", 99, LatencyBelief([1, 64], [1.0, 20.0], [1.1, 25.0])),
    ]
    made = Plans(
        models,
        [
            Plan("light", [PlanStep(0)], AccuracyPrior(0.9, 0.88, 0.92, 1000)),
            Plan("heavy", [PlanStep(1)], AccuracyPrior(0.99, 0.98, 1.0, 1000)),
            Plan("light>heavy", [PlanStep(0, 1.0, 0.7), PlanStep(1, 0.2)],
                 AccuracyPrior(0.985, 0.975, 0.99, 1000)),
        ],
        objective,
    )  # fmt: skip
    for i, (model, n, ms) in enumerate(calls):
        made.observe_call(model, n, ms, i * 0.1)
    return made


@given(
    calls=st.lists(
        st.tuples(st.integers(0, 1), st.integers(1, 100), st.floats(0.01, 500)), max_size=30
    ),
    messages=st.lists(st.tuples(st.floats(-100, 1000), st.floats(0, 1)), min_size=1, max_size=50),
    times=st.sampled_from([1, 1, 100]),
    fallback=st.sampled_from(Fallback),
    objective=st.sampled_from(Objective),
    drawn=st.none() | st.lists(st.floats(0, 1), min_size=3, max_size=3),
    overload_lasts=st.booleans(),
)
@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_recorded_decision_is_made_again_the_same(
    tmp_path_factory: Any,
    calls: list,
    messages: list,
    times: int,
    fallback: Fallback,
    objective: Objective,
    drawn: list[float] | None,
    overload_lasts: bool,
) -> None:
    made = plans(objective, calls)
    left_ms, floors = np.array(messages * times, float).T
    view = made.view(4.0)
    schedule = decide(view, left_ms, floors, fallback, overload_lasts)
    draws = None
    if drawn is not None:
        draws = Draws(np.arange(len(left_ms)) % 2 == 0, drawn)
        schedule = explore(view, schedule, left_ms, floors, draws)
    folder = tmp_path_factory.mktemp("log")
    log = DecisionLog(folder, header_of(made.tables, fallback))
    items = [*(group.items for group in schedule.groups), schedule.refused]
    answered = [(some, [b'"%d"' % i for i in some.tolist()]) for some in items[:1]]
    decided = Decided(made.state, left_ms, floors, schedule, draws, overload_lasts)
    log.record(1e12, decided, answered)
    log.close()
    [(header, entry)] = read_decisions(folder, "digits")
    again_view, again = replay(header, entry)
    assert again_view == view
    considered = np.sort(np.concatenate(items))
    assert entry.n_waiting == len(left_ms)
    assert entry.remaining().tolist() == left_ms[considered].tolist()
    assert entry.floors().tolist() == floors[considered].tolist()
    assert [(g.plan, g.choice, considered[g.items].tolist()) for g in again.groups] == [
        (g.plan, g.choice, g.items.tolist()) for g in schedule.groups
    ]
    assert [(g.plan, g.choice, g.items.tolist()) for g in again.groups] == entry.schedule_groups()
    assert considered[again.refused].tolist() == schedule.refused.tolist()
    assert [considered[entry.place_of(b'"%d"' % i)] for i in items[0].tolist()] == items[0].tolist()
    assert entry.place_of(b'"other"') is None


def record_some(folder: Path, n: int = 3) -> None:
    answers = edition(
        served(DIGITS, "light", accuracy=0.85, ms_per_item=0.01),
        served(DIGITS, "heavy", accuracy=0.99, ms_per_item=2.0),
        exploration=0.5,
    )
    pipeline = Pipeline(
        answers,
        clocks=standing_clocks(lambda: 1000.0),
        rng=np.random.default_rng(0),  # what is explored must not be chance
        log=DecisionLog(folder, answers.log_header()),
    )
    for i in range(n):
        headers = [("ce_id", b"reading-%d" % i), ("ce_minaccuracy", b"0.9")]
        serve(pipeline, [FakeRecord(raw(1, 2, 3, 4), headers)], Outbox())
    pipeline.close()


def run(*arguments: str) -> Any:
    return CliRunner().invoke(command, [f"--task={DIGITS.name}", *arguments])


def test_explain_shows_every_plan_and_why_each_lighter_one_was_rejected(tmp_path: Path) -> None:
    record_some(tmp_path)
    result = run(f"--decisions={tmp_path}", "--id=reading-1")
    assert result.exit_code == 0, result.output
    assert "digits: reading-1 at 1970-01-01T00:16:40.000+00:00" in result.output
    lines = {
        words[0]: line
        for line in result.output.splitlines()
        if (words := line.replace("->", "").split())
    }
    assert lines["light"].endswith("accuracy 0.8300 < 0.9")
    assert lines["heavy"].startswith("->")
    assert lines["heavy"].endswith("answers")
    assert lines["heavy:"] == "heavy: lightest-feasible, in one call of 1 message"


def test_explain_makes_all_decisions_again(tmp_path: Path) -> None:
    record_some(tmp_path, 5)
    result = run(f"--decisions={tmp_path}", "--replay")
    assert result.output == ("digits: 5 decisions on 5 messages made again, 0 differ\n")
    assert result.exit_code == 0


def test_of_what_waits_each_id_is_written_when_its_request_is_answered(tmp_path: Path) -> None:
    clock_s, n = 1000.0, 2 * MOST_CONSIDERED
    answers = edition(served(DIGITS, "only", accuracy=0.9, ms_per_item=1.0))
    log = DecisionLog(tmp_path, answers.log_header())
    pipeline = Pipeline(answers, clocks=standing_clocks(lambda: clock_s), log=log)
    headers = [[("ce_id", b"m%d" % i), ("ce_maxlatencyms", b"100")] for i in range(n)]
    records = [FakeRecord(raw(1, 2, 3, 4), h, offset_=i) for i, h in enumerate(headers)]
    pipeline.admit(records, Outbox())
    clock_s += 0.05
    while pipeline.n_open:
        pipeline.step(Outbox())
    pipeline.close()
    entries = [entry for _, entry in read_decisions(tmp_path, "digits")]
    assert entries[0].n_waiting == n
    assert max(len(entry.remaining()) for entry in entries) <= MOST_CONSIDERED
    ids = [json_id for entry in entries for json_id in entry.json_ids]
    assert sorted(ids) == sorted(b'"m%d"' % i for i in range(n))
    first = ids[0].decode().strip('"')
    explained = run(f"--decisions={tmp_path}", f"--id={first}").output
    assert f"one of {n:,} messages that waited" in explained
    assert run(f"--decisions={tmp_path}", "--replay").exit_code == 0


def test_the_log_keeps_to_its_bound_and_survives_a_kill(tmp_path: Path) -> None:
    made = plans(Objective.CPU_TIME, [])
    header = header_of(made.tables, Fallback.FASTEST)
    log = DecisionLog(tmp_path, header, most_bytes=20_000)
    left_ms, floors = np.full(20, 100.0), np.full(20, 0.5)
    schedule = decide(made.view(0.0), left_ms, floors, Fallback.FASTEST)
    for i in range(101):
        decided = Decided(made.state, left_ms, floors, schedule)
        log.record(i, decided, [(np.arange(20), [b'"x"'] * 20)])
    log.close()
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    assert sum(f.stat().st_size for f in files) < 30_000
    assert [entry.at_ms for _, entry in read_decisions(tmp_path, "digits")][-1] == 100
    files[-1].write_bytes(files[-1].read_bytes()[:-5])  # as if it had been killed while it wrote
    assert [entry.at_ms for _, entry in read_decisions(tmp_path, "digits")][-1] == 99


@pytest.mark.parametrize(
    ("arguments", "code", "text"),
    [
        (["--id=x"], 2, "--id and --replay need --decisions FOLDER"),
        (["--decisions=nowhere", "--id=x"], 1, "nowhere: no decisions of task digits"),
        (["--max-latency-ms=-1"], 2, "max_latency_ms: Input should be greater than 0"),
        (["--min-accuracy=2"], 2, "min_accuracy: Input should be less than or equal to 1"),
        (["--models=nowhere"], 1, "no task.json there"),
    ],
)
def test_wrong_arguments_are_told(arguments: list[str], code: int, text: str) -> None:
    result = run(*arguments)
    assert result.exit_code == code
    assert text in result.output + str(result.exception)


def test_an_id_that_is_not_there_and_a_file_that_is_no_log(tmp_path: Path) -> None:
    record_some(tmp_path)
    result = run(f"--decisions={tmp_path}", "--id=other")
    assert "no decision on id 'other'" in str(result.exception)
    (tmp_path / "digits-000009-0123abcd.decisions").write_bytes(b"\x04\x00\x00\x00abcd")
    with pytest.raises(ArtifactError, match="not a log of decisions"):
        list(read_decisions(tmp_path, "digits"))


def test_what_another_version_wrote_is_passed_over_or_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("ounce_edge.pipeline.edition.FORMAT", FORMAT - 1)
        record_some(tmp_path)
    with pytest.raises(ArtifactError, match=f"has format {FORMAT - 1}, and this version reads"):
        list(read_decisions(tmp_path, DIGITS.name))
    record_some(tmp_path, 2)
    assert len(list(read_decisions(tmp_path, DIGITS.name))) == 2


def test_explain_says_that_a_call_is_shared(tmp_path: Path) -> None:
    made = Plans(
        [
            Model("light", 1, LatencyBelief([1, 101], [1.0, 2.0], [1.0, 2.0])),
            Model("heavy", 1, LatencyBelief([1, 101], [1.1, 3.1], [1.1, 3.1])),
        ],
        [
            Plan("light", [PlanStep(0)], AccuracyPrior(0.85, 0.8, 0.9, 100)),
            Plan("heavy", [PlanStep(1)], AccuracyPrior(0.95, 0.9, 1.0, 100)),
        ],
    )
    left_ms, floors = np.array([100.0, 100.0]), np.array([0.5, 0.9])
    fallback = Fallback.MOST_ACCURATE_IN_TIME
    schedule = decide(made.view(0.0), left_ms, floors, fallback)
    log = DecisionLog(tmp_path, header_of(made.tables, fallback))
    answered = [(np.arange(2), [b'"easy"', b'"hard"'])]
    log.record(1e12, Decided(made.state, left_ms, floors, schedule), answered)
    log.close()
    easy = run(f"--decisions={tmp_path}", "--id=easy").output
    assert "feasible, but a call of its own" in easy
    assert easy.endswith("heavy: lightest-together, in one call of 2 messages\n")
    assert "accuracy 0.8000 < 0.9" in run(f"--decisions={tmp_path}", "--id=hard").output


def test_explain_says_why_floors_were_given_up_in_time(tmp_path: Path) -> None:
    made = plans(Objective.CPU_TIME, [])
    n = 20
    left_ms = np.full(n, 1e4)
    low, high = min(made.accuracy.low), max(made.accuracy.low)
    floors = np.array([low] * (n - 1) + [high])
    schedule = decide(made.view(0.0), left_ms, floors, Fallback.FASTEST, overload_lasts=True)
    header = header_of(made.tables, Fallback.FASTEST)
    log = DecisionLog(tmp_path, header)
    answered = [(np.arange(n), [b'"m%d"' % i for i in range(n)])]
    log.record(0, Decided(made.state, left_ms, floors, schedule, overload_lasts=True), answered)
    log.close()
    for id_, why in ((f"m{n - 1}", Choice.FALLBACK_FASTEST), ("m0", Choice.LIGHTEST_FEASIBLE)):
        result = run(f"--decisions={tmp_path}", f"--id={id_}")
        assert result.exit_code == 0, result.output
        assert "Late messages had piled up: dear floors were given up" in result.output
        assert f": {why}, in one call of" in result.output
        assert "another version" not in result.output
