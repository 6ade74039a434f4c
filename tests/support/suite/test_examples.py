"""Generated examples may take their time, on a busy machine."""

from hypothesis import settings


def test_no_example_has_a_deadline() -> None:
    assert settings.default.deadline is None
