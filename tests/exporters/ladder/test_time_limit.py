"""A time limit leaves out what does not fit: by work first, then by the clock."""

from ounce_exporters.ladder.recipe import FittedModel, Progress, Recipe, TaskData
from ounce_exporters.ladder.time_limit import TimeLimit, within

from tests.support.clock import Clock


def unused(data: TaskData, seed: int, progress: Progress) -> FittedModel:
    raise AssertionError("nothing is trained here")


def recipe(name: str, effort: float) -> Recipe:
    return Recipe(name, "classical", name, unused, effort=effort)


LADDER = [recipe("slow", 60.0), recipe("quick", 5.0), recipe("middle", 20.0)]


def names(recipes: list[Recipe]) -> list[str]:
    return [recipe.name for recipe in recipes]


def test_the_quick_ones_fit_first_and_one_always() -> None:
    assert [*map(names, within(LADDER, 30.0))] == [["quick", "middle"], ["slow"]]
    assert [*map(names, within(LADDER, 70.0))] == [["quick", "middle"], ["slow"]]
    assert [*map(names, within(LADDER, 85.0))] == [["slow", "quick", "middle"], []]
    assert [*map(names, within(LADDER, 1.0))] == [["quick"], ["slow", "middle"]]


def test_without_a_limit_nothing_changes() -> None:
    limit = TimeLimit(None)
    assert names(limit.order(LADDER)) == ["slow", "quick", "middle"]
    assert all(limit.allows(recipe) for recipe in LADDER)


def test_a_slow_machine_counts_by_what_the_models_before_took() -> None:
    clock = Clock()
    limit = TimeLimit(100.0, 0.0, clock)
    quick, middle, slow = limit.order(LADDER)
    assert names([quick, middle, slow]) == ["quick", "middle", "slow"]
    assert limit.allows(quick)
    clock.now_s = 20.0  # four times as long as its work says
    limit.ended(quick)
    assert limit.allows(middle)  # 20 + 4 * 20
    clock.now_s = 50.0
    limit.ended(middle)
    assert not limit.allows(slow)  # 50 + 2 * 60


def test_what_each_model_takes_whatever_its_work_is_does_not_count_as_slowness() -> None:
    clock = Clock()
    limit = TimeLimit(15.0, 0.0, clock)
    light = [recipe(f"light-{i}", 0.02 * (i + 1)) for i in range(4)]
    for model, now in zip(light, (7.0, 9.0, 11.0), strict=False):  # the first imports libraries
        assert limit.allows(model)
        clock.now_s = now
        limit.ended(model)
    assert limit.allows(light[3])  # 11 + about 2
    clock.now_s = 13.5
    limit.ended(light[3])
    assert not limit.allows(recipe("another", 0.1))  # 13.5 + about 2


def test_a_limit_that_was_passed_is_told() -> None:
    clock = Clock()
    limit = TimeLimit(15.0, 0.0, clock)
    clock.now_s = 15.0
    assert limit.overrun() is None
    clock.now_s = 15.2
    assert (limit.overrun() or "").startswith(
        "training took 16 s, more than --time-limit 15: the quickest model is always made"
    )
    assert TimeLimit(None, 0.0, clock).overrun() is None


def test_the_first_model_may_begin_however_late_it_is() -> None:
    clock = Clock()
    limit = TimeLimit(10.0, 0.0, clock)
    clock.now_s = 50.0
    assert limit.allows(LADDER[0])
    assert not limit.allows(LADDER[1])
