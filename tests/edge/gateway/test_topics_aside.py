"""Topics that take nothing, on a time of the test's own."""

from ounce_edge.gateway.topics_aside import TopicsAside


class Rig:
    """Topics, and a clock."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.aside = TopicsAside(lambda: self.now_s)


def test_what_is_absent_waits_and_others_go() -> None:
    aside = Rig().aside
    aside.absent = {"b"}
    assert aside.may_go(["a", "b", "c"]) == ["a", "c"]
    assert aside.may_go(["b"]) == []
    aside.absent = ()
    assert aside.may_go(["a", "b"]) == ["a", "b"]


def test_of_several_that_failed_together_the_one_at_fault_waits() -> None:
    rig = Rig()
    rig.aside.failed({"a", "b", "c"})
    assert rig.aside.may_go(["a", "b", "c", "d"]) == ["a"]
    rig.aside.taken({"a"})
    assert rig.aside.may_go(["a", "b", "c", "d"]) == ["b"]
    rig.aside.failed({"b"})
    assert rig.aside.may_go(["a", "b", "c", "d"]) == ["c"]
    rig.aside.taken({"c"})
    assert rig.aside.may_go(["a", "b", "c", "d"]) == ["a", "c", "d"]
    rig.now_s = 60.0
    assert rig.aside.may_go(["a", "b", "c", "d"]) == ["a", "b", "c", "d"]


def test_where_all_fail_it_is_the_line_and_all_are_tried_again() -> None:
    rig = Rig()
    for topic in ("a", "b"):
        rig.aside.failed({topic})
    assert rig.aside.may_go(["a", "b"]) == ["a", "b"]


def test_a_suspect_without_records_is_not_waited_for() -> None:
    rig = Rig()
    rig.aside.failed({"a", "b"})
    assert rig.aside.may_go(["b", "c"]) == ["b"]
    assert rig.aside.may_go(["c"]) == ["c"]
