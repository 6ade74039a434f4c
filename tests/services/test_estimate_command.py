"""`ounce policy estimate`, held against what then happens."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from click.testing import CliRunner, Result
from ounce_edge.dry_run.chance_reader import ChanceReader, read_chances
from ounce_edge.dry_run.recorded import FolderRecording
from ounce_edge.evidence.decision_log import DecisionLog
from ounce_edge.pipeline.clocks import Clocks
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_schemas.errors import ArtifactError, PolicyError
from ounce_schemas.label import Label
from ounce_schemas.policy import Policy
from ounce_schemas.prediction import Prediction
from ounce_services.policies.command import command
from ounce_services.policies.outcomes import is_right, read_answers, read_labels

from tests.services.test_shadow_comparison import answer
from tests.support.edge.ladders import DIGITS, FakeRecord, Outbox, raw, serve, served
from tests.support.edge.pipelines import Clock, edition

BEFORE: dict[str, Any] = {"min_accuracy": 0.9, "exploration": 0.5}
AFTER: dict[str, Any] = {"min_accuracy": 0.75}
"""Under it the light model answers all."""
MS = {"light": 0.1, "middle": 0.5, "heavy": 1.0}
RIGHT = {"light": 0.7, "middle": 0.9, "heavy": 0.97}
"""Share of the messages that each model answers right: those under this hardness."""
N = 3000
_labels = msgspec.json.Decoder(Label)


def model(clock: Clock, name: str, accuracy: float, low: float) -> Any:
    """A model that errs on hard inputs: an input is its true label and its hardness."""

    def answer(inputs: Mapping[str, Any]) -> Any:
        rows = inputs["input"]
        clock.now_s += len(rows) * MS[name] / 1e3
        label = rows[:, 0].astype(int)
        label = np.where(rows[:, 1] < RIGHT[name], label, (label + 1) % 3)
        return np.eye(3, dtype=np.float32)[label] * 0.7 + np.float32(0.1)

    return served(DIGITS, name, answer, accuracy=accuracy, low=low, ms_per_item=MS[name])


def happens(folder: Path, policy: Mapping[str, Any]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    """Serve a stream under a policy and record the decisions: answers and labels."""
    clock, rng = Clock(), np.random.default_rng(5)
    models = [
        model(clock, "light", 0.88, 0.8),
        model(clock, "middle", 0.93, 0.91),
        model(clock, "heavy", 0.99, 0.97),
    ]
    start = edition(*models, **policy)
    log = DecisionLog(folder, start.log_header())
    pipeline = Pipeline(start, clocks=Clocks(clock, clock), log=log, rng=rng)
    outbox = Outbox()
    labels = list[bytes]()
    while len(labels) < N:
        poll = []
        for _ in range(int(rng.integers(1, 5))):
            truth, number = int(rng.integers(3)), len(labels)
            body = raw(truth, float(rng.random()), 0, 0)
            at_ms = int(clock.now_s * 1e3)
            headers = [("ce_id", b"%d" % number)]
            poll.append(FakeRecord(body, headers, b"d", offset_=number, timestamp_ms=at_ms))
            labels.append(msgspec.json.encode(Label(str(number), DIGITS.labels[truth])))
        serve(pipeline, poll, outbox)
        clock.now_s += 0.05
    pipeline.close()
    return [value or b"" for _, value, _, _ in outbox.records], labels


def figures(answers: Sequence[bytes], labels: Sequence[bytes]) -> tuple[float, float]:
    """Per cent of right answers, and compute of each."""
    truth = {label.id: label.label for label in map(_labels.decode, labels)}
    given = [msgspec.json.decode(value, type=Prediction) for value in answers]
    right = [a.outputs[0].data[0] == truth[a.id] for a in given]
    return 100 * float(np.mean(right)), float(np.mean([a.parameters.cost_ms for a in given]))


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("recorded")
    answers, labels = happens(folder / "decisions", BEFORE)
    (folder / "answers").write_bytes(b"\n".join([*answers, b"junk"]))
    (folder / "labels").write_bytes(b"\n".join([*labels, b"junk"]))
    return folder, figures(answers, labels)


def run(folder: Path, policy: str, *options: str) -> Result:
    file = folder / "policy.yaml"
    file.write_text(policy)
    sources = [f"--decisions={folder / 'decisions'}", f"--answers={folder / 'answers'}"]
    arguments = ["estimate", f"--policy={file}", *sources, f"--models={folder}", *options]
    return CliRunner().invoke(command, arguments)


def rows(text: str) -> dict[str, list[tuple[float, float, float]]]:
    """Values and intervals by the name of the row."""
    number = r"(-?[\d.e+-]+)"
    found = {}
    for line in text.splitlines():
        intervals = re.findall(rf"{number}%? \({number} to {number}\)", line)
        if intervals:
            found[re.split("  +", line)[0]] = [tuple(map(float, i)) for i in intervals]
    return found


def test_what_is_estimated_then_happens(recorded: Any, tmp_path: Path) -> None:
    folder, before = recorded
    result = run(folder, "min_accuracy: 0.75", f"--labels={folder / 'labels'}")
    assert result.exit_code == 0, result.output
    assert "digits: 3,00" in result.output
    assert "100.0% covered" in result.output
    then = figures(*happens(tmp_path, AFTER))
    found = rows(result.output)
    for name, was, is_ in zip(("right answers", "compute each, ms"), before, then, strict=True):
        as_it_was, *estimates = found[name]
        assert as_it_was[0] == pytest.approx(was, rel=0.01)
        assert len(estimates) == 3
        for value, low, high in estimates:
            assert low <= is_ * 1.001
            assert is_ * 0.999 <= high
            assert abs(value - is_) < abs(was - is_)
    assert before[0] - then[0] > 10  # else it would estimate nothing


def test_without_labels_correctness_is_not_known(recorded: Any) -> None:
    folder, _ = recorded
    result = run(folder, "min_accuracy: 0.75")
    assert re.search(r"right answers +0 +not known", result.output)
    assert len(rows(result.output)["deadlines kept"]) == 4


def test_answers_of_other_messages_are_refused(recorded: Any, tmp_path: Path) -> None:
    folder, _ = recorded
    others = tmp_path / "others.jsonl"
    others.write_bytes(b'\x00\xff junk\n{"id": 3}\n' + answer("no-such-message", "7", "v1")[1])
    result = run(folder, "min_accuracy: 0.75", f"--answers={others}")
    assert isinstance(result.exception, PolicyError)
    assert re.search(
        r"none of the [\d,]+ recorded messages is among the 1 answer ", str(result.exception)
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--task=typo"], "no decisions of task typo; there are those of digits"),
        (["--answers=/nowhere/a.jsonl"], "/nowhere/a.jsonl: can't be read"),
        (["--labels=/nowhere/l.jsonl"], "/nowhere/l.jsonl: can't be read"),
        (["--least-covered=2"], "2.0 is not in the range"),
        (["--least-covered=nan"], "'nan' is no number"),
    ],
)
def test_what_can_not_be_estimated_is_named(recorded: Any, arguments: list[str], said: str) -> None:
    folder, _ = recorded
    result = run(folder, "min_accuracy: 0.75", *arguments)
    assert result.exit_code != 0
    assert said in result.output + str(result.exception)


def test_plans_that_were_never_tried_are_named(recorded: Any) -> None:
    folder, _ = recorded
    result = run(folder, "{min_accuracy: 0.75, tasks: {digits: {allow: [heavy]}}}")
    assert isinstance(result.exception, PolicyError)
    assert "covers 0.0% of the messages" in str(result.exception)
    assert "heavy for 100.0% of the messages" in str(result.exception)
    result = run(
        folder, "{min_accuracy: 0.75, exploration: 0.1, tasks: {digits: {allow: [heavy]}}}"
    )
    assert isinstance(result.exception, PolicyError)


def test_chances_are_those_of_the_draws(recorded: Any) -> None:
    folder, _ = recorded
    read, reader = read_chances(
        Policy.model_validate(BEFORE), FolderRecording(folder / "decisions"), "digits"
    )
    assert (reader.n_other, reader.n_in_parts) == (0, 0)
    light, logged = read.plans.index("light"), read.logged
    expected = logged.other[:, light]
    assert 0.05 < expected.mean() < 0.4
    tried = logged.plan == light
    assert tried.mean() == pytest.approx(expected.mean(), abs=0.03)
    assert (logged.chance[tried] == expected[tried]).all()  # the same policy has the same chances
    assert logged.is_covered.all()


def test_a_folder_without_decisions_is_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no recorded decisions"):
        read_chances(Policy(), FolderRecording(tmp_path), "digits")


def test_messages_of_decisions_that_left_others_waiting_are_counted(recorded: Any) -> None:
    folder, _ = recorded
    reader = ChanceReader(Policy(), "digits")
    [(header, decisions)] = FolderRecording(folder / "decisions").read("digits")
    several = next(d for d in decisions if len(d.answered) > 4)
    [first, *_] = msgspec.msgpack.decode(several.json_ids)
    one = {
        "answered": several.answered[:4],
        "json_ids": msgspec.Raw(msgspec.msgpack.encode([first])),
    }
    reader.run(header, [several])
    assert reader.n_in_parts == 0
    reader.run(header, [msgspec.structs.replace(several, **one)])
    assert reader.n_in_parts == 1


def test_somewhere_answers_have_to_be(recorded: Any, tmp_path: Path) -> None:
    folder, _ = recorded
    decisions, file = f"--decisions={folder / 'decisions'}", f"--policy={folder / 'policy.yaml'}"
    assert CliRunner().invoke(command, ["estimate", file, decisions]).exit_code == 2
    options = [file, decisions, f"--answers={tmp_path / 'none'}"]
    result = CliRunner().invoke(command, ["estimate", *options])
    assert isinstance(result.exception, PolicyError)


def test_what_is_no_answer_and_no_label_is_passed_over() -> None:
    assert read_answers([b"junk", None, b"{}"], "digits") == {}
    text = b'{"label": "a"}'
    found = read_labels([(b"junk", ()), (None, ()), (text, ()), (text, [("ce_id", b"7")])])
    assert list(found) == ["7"]


@pytest.mark.parametrize(
    ("predicted", "label", "tolerance", "right"),
    [
        ("a", Label(label="a"), None, 1.0),
        ("a", Label(label="b"), None, 0.0),
        ("a", Label(value=1.0), None, None),
        (1.0, Label(value=1.5), 0.5, 1.0),
        (1.0, Label(value=1.6), 0.5, 0.0),
        (1.0, Label(value=1.6), None, None),
        (None, Label(label="a"), None, None),
    ],
)
def test_a_label_tells_what_is_right(
    predicted: Any, label: Label, tolerance: float | None, right: float | None
) -> None:
    found = is_right(predicted, label, tolerance)
    assert found == right or (right is None and np.isnan(found))
