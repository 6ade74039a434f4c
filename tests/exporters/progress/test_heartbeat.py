"""Signs of life, and the time that is left."""

import threading

import pytest
from ounce_exporters.progress.heartbeat import Heartbeat, Outlook, in_words

from tests.support.clock import Clock


def test_it_beats_until_the_block_ends() -> None:
    thrice, beats = threading.Event(), [0]

    def beat() -> None:
        beats[0] += 1
        if beats[0] == 3:
            thrice.set()

    with Heartbeat(beat, every_s=0.001):
        assert thrice.wait(60)
    seen = beats[0]
    assert not thrice.wait(0.02) or beats[0] == seen


def test_time_left_follows_from_what_work_takes_here() -> None:
    clock = Clock()
    outlook = Outlook(100.0, clock)
    outlook.begin(10.0)
    assert outlook.left_s is None
    clock.now_s = 20.0  # this machine takes twice as long
    outlook.end()
    outlook.begin(40.0)
    assert outlook.left_s == pytest.approx(180.0)
    clock.now_s = 60.0  # silent for half of what the step should take
    assert outlook.left_s == pytest.approx(140.0)
    clock.now_s = 1_000.0  # longer than thought: never said to be done
    assert outlook.left_s == pytest.approx(104.0)
    assert outlook.share == 0.0  # nothing is shown that a step may take back


def test_a_step_that_tells_is_believed() -> None:
    clock = Clock()
    outlook = Outlook(10.0, clock)
    outlook.begin(10.0)
    clock.now_s = 5.0
    outlook.tell(0.25)
    assert outlook.share == 0.25
    assert outlook.left_s == pytest.approx(15.0)


def test_what_is_left_out_leaves_no_time() -> None:
    clock = Clock()
    outlook = Outlook(30.0, clock)
    outlook.begin(10.0)
    clock.now_s = 10.0
    outlook.end()
    outlook.begin(0.0)
    assert outlook.left_s == pytest.approx(20.0)
    outlook.drop(20.0)
    assert outlook.left_s == 0.0


def test_words() -> None:
    assert [*map(in_words, (None, 0.4, 59.6, 240.0))] == [
        "", "about 0 s left", "about 60 s left", "about 4 min left"
    ]  # fmt: skip
