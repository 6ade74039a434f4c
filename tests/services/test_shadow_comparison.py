"""`ounce policy shadow`: what is compared, and what is refused."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from ounce_schemas.prediction import Decision, Prediction, TextOutput
from ounce_schemas.routing import Choice
from ounce_services.policies.command import command
from ounce_services.policies.shadow_comparison import MOST_CLASSES, comparison_text
from ounce_services.policies.shadow_join import ShadowJoin, compare


def answer(id_: str, label: str, version: str, latency_ms: float = 1.0) -> tuple[bytes, bytes]:
    decision = Decision(
        task="digits",
        plan="mlp",
        reason=Choice.LIGHTEST_FEASIBLE,
        policy_version=version,
        catalogue_version="c",
        max_latency_ms=2.0,
        min_accuracy=0.9,
        expected_accuracy=0.95,
        latency_ms=latency_ms,
        deadline_met=latency_ms <= 2.0,
        floor_met=True,
        cost_ms=0.5,
        saved_ms=0.0,
    )
    outputs = [TextOutput(name="label", shape=[1], data=[label])]
    return b"d", msgspec.json.encode(Prediction("mlp", "m", id_, decision, list(outputs)))


def test_answers_to_the_same_message_of_the_same_device_are_compared() -> None:
    shadow = [
        answer("1", "7", "v2-shadow"),
        answer("2", "7", "v2-shadow", 3.0),
        answer("3", "7", "v2-shadow"),
        (b"d", b"junk"),
    ]
    other_device = (b"e", answer("3", "7", "v2")[1])
    published = [answer("1", "7", "v2"), answer("2", "1", "v2"), other_device, (None, None)]
    found = compare(shadow, published)
    [(version, one)] = found.items()
    assert (version, one.n, one.n_agree) == ("v2-shadow", 2, 1)
    assert (one.shadow.in_time, one.published.in_time) == (1, 2)
    text = comparison_text(found)
    assert "v2-shadow: 2 messages, 50.00% say the same" in text
    assert text.splitlines()[2].split() == ["deadlines", "kept", "50.00%", "100.00%"]
    assert "no answer" in comparison_text(compare([], published))


def test_classes_are_told_apart_by_what_was_published() -> None:
    shadow = [answer("1", "7", "s"), answer("2", "1", "s", 3.0), answer("3", "7", "s")]
    published = [answer(i, "7", "v2") for i in "12"] + [answer("3", "1", "v2")]
    one = compare(shadow, published)["s"]
    assert {name: (c.n, c.n_agree, c.mostly_instead) for name, c in one.classes.items()} == {
        "7": (2, 1, "1"), "1": (1, 0, "7"),
    }  # fmt: skip
    assert (one.classes["7"].shadow.in_time, one.classes["7"].published.in_time) == (1, 2)
    lines = comparison_text({"s": one}).splitlines()
    assert [line.split()[:3] for line in lines[-2:]] == [["1", "1", "0.00%"], ["7", "2", "50.00%"]]


def test_answers_are_joined_in_any_order_and_the_oldest_that_wait_are_forgotten() -> None:
    join = ShadowJoin(most_waiting=2)
    join.take_published([answer(i, "7", "v2") for i in "123"])
    join.take_shadow([answer("1", "7", "s"), answer("3", "7", "s"), answer("4", "7", "s")])
    join.take_published([answer("4", "7", "v2"), answer("4", "7", "v2")])
    assert {name: found.n for name, found in join.found.items()} == {"s": 2}


def test_more_classes_than_are_told_apart_count_among_all_messages_alone() -> None:
    n = MOST_CLASSES + 5
    shadow = [answer(str(i), f"other-{i}", "s") for i in range(n)]
    one = compare(shadow, [answer(str(i), f"c{i}", "v2") for i in range(n)])["s"]
    assert (one.n, len(one.classes), len(one.instead)) == (n, MOST_CLASSES, MOST_CLASSES)


def test_events_are_compared_too() -> None:
    event = msgspec.json.encode(
        {"specversion": "1.0", "data": msgspec.Raw(answer("1", "7", "v")[1])}
    )
    found = compare([answer("1", "7", "s")], [(b"d", event)])
    assert found["s"].n_agree == 1


@pytest.mark.parametrize("share", ["0", "1.1", "nan"])
def test_shares_outside_0_and_1_are_refused(tmp_path: Path, share: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("{}")
    arguments = ["shadow", "start", str(file), "--task=digits", f"--share={share}"]
    assert CliRunner().invoke(command, [*arguments, "--kafka=127.0.0.1:1"]).exit_code == 2
