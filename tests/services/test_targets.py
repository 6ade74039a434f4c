"""The mix of targets."""

import pytest
from ounce_services.devices.settings import DevicesSettings
from ounce_services.devices.targets import Targets, default_mix
from ounce_services.monitoring.objectives import read_objectives
from pydantic import ValidationError


def test_default_mix_spans_the_ladder() -> None:
    lows = [0.961, 0.902, 0.9412]
    mix = default_mix(lows)
    assert sum(targets.weight for targets in mix) == pytest.approx(1)
    floors = [targets.min_accuracy for targets in mix if targets.min_accuracy is not None]
    only_best = [f for f in floors if sum(low >= f for low in lows) == 1]
    nothing = [f for f in floors if all(low < f for low in lows)]
    everything = [f for f in floors if all(low >= f for low in lows)]
    assert all([only_best, nothing, everything])
    assert any(targets.are_bare for targets in mix)
    assert min(t.max_latency_ms for t in mix if t.max_latency_ms is not None) == 1


def test_what_nothing_can_meet_leaves_the_error_budgets_whole() -> None:
    lows = [0.9, 0.95]
    mix = default_mix(lows)
    missed = {
        "deadlines": sum(t.weight for t in mix if t.max_latency_ms == 1),
        "floors": sum(t.weight for t in mix if t.min_accuracy and t.min_accuracy > max(lows)),
    }
    budgets = {o.name: o.budget for o in read_objectives().objectives}
    for name, share in missed.items():
        assert 0 < share < budgets[name] / 2


def test_default_mix_of_a_perfect_ladder_stays_valid() -> None:
    assert all(t.min_accuracy is None or t.min_accuracy <= 1 for t in default_mix([1.0]))


def test_parsed_targets() -> None:
    assert Targets.parse("50:0.95:3") == Targets(50, 0.95, 3)
    assert Targets.parse("-:-:1").are_bare
    assert not Targets.parse("-:0.5:1").are_bare


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("50:0.9", "is not MAX_LATENCY_MS:MIN_ACCURACY:WEIGHT"),
        ("fast:0.9:1", "no number"),
        ("0:0.9:1", "deadline must be in"),
        ("nan:0.9:1", "deadline must be in"),
        ("50:90:1", "floor must be in"),
        ("50:0.9:0", "weight must be positive"),
        ("50:0.9:inf", "weight must be positive"),
    ],
)
def test_wrong_targets_say_what_is_wrong(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=error):
        Targets.parse(text)


def test_rates_for_all_and_for_one() -> None:
    settings = DevicesSettings(task=("a", "b"), kafka="x", rate=("50", "b=7"))
    assert settings.rates_per_s == {"a": 50, "b": 7}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"rate": ("many",)}, "rate 'many' is not N or TASK=N"),
        ({"rate": ("0",)}, "above 0"),
        ({"rate": ("c=5",)}, "names c, which no --task does"),
        ({"burst_length": 10.0}, "shorter"),
        ({"task": ("a", "a")}, "repeat"),
        ({"targets": ("1:2:3",)}, "floor must be in"),
    ],
)
def test_wrong_settings_are_named(change: dict[str, object], error: str) -> None:
    values = {"task": ("a",), "kafka": "x", **change}
    with pytest.raises(ValidationError, match=error):
        DevicesSettings.model_validate(values)
