"""Which offsets may be committed: those up to which all is answered."""

from ounce_edge.pipeline.progress import Progress


def test_the_end_of_a_partition_waits_for_what_was_taken_before() -> None:
    progress = Progress()
    poll = progress.begin({0: 5}, 2)
    progress.reach_end(0, 7)
    assert progress.advance() == {}
    poll.open = 0
    assert progress.advance() == {0: 7}


def test_an_end_right_behind_the_last_record_is_no_news() -> None:
    progress = Progress()
    progress.begin({0: 5}, 0)
    assert progress.advance() == {0: 5}
    progress.reach_end(0, 5)
    assert progress.advance() == {}
    progress.reach_end(0, 6)
    progress.reach_end(0, 6)
    assert progress.advance() == {0: 6}


def test_an_end_of_a_partition_that_was_given_up_and_came_back_counts_again() -> None:
    progress = Progress()
    progress.reach_end(0, 6)
    progress.disown([0])
    assert progress.advance() == {}
    progress.reach_end(0, 6)
    assert progress.advance() == {0: 6}
