"""`ounce policy shadow`: what is compared, and what is refused."""

from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from ounce_schemas.prediction import Decision, Prediction, TextOutput
from ounce_schemas.routing import Choice
from ounce_services.policies.command import command
from ounce_services.policies.shadow_comparison import compare, comparison_text


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


@pytest.mark.parametrize("share", ["0", "1.1", "nan"])
def test_shares_outside_0_and_1_are_refused(tmp_path: Path, share: str) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("{}")
    arguments = ["shadow", "start", str(file), "--task=digits", f"--share={share}"]
    assert CliRunner().invoke(command, [*arguments, "--kafka=127.0.0.1:1"]).exit_code == 2
