"""What reading costs is measured of bodies that are all understood, and in turn."""

from benchmarks.worker.formats import AGAINST, FORMATS, PLAIN, WITH_ID, measure, table_of


def test_every_format_is_read_and_has_a_row() -> None:
    best = measure(2)
    assert best.keys() == FORMATS.keys()
    assert all(0 < us < 1e6 for us in best.values())


def test_flat_json_is_held_against_v2_with_the_same_id() -> None:
    best = {**dict.fromkeys(FORMATS, 4.0), PLAIN: 2.0, WITH_ID: 3.0}
    rows = {row[0]: row[1:] for row in table_of(best).rows}
    assert rows["flat JSON"] == ["4.00", "0.50"]
    assert rows["flat JSON with an id"] == ["4.00", "0.75"]
    assert {name for name, (_, ratio) in rows.items() if ratio} == AGAINST.keys()
