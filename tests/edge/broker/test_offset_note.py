"""What stands beside a committed offset."""

import pytest
from ounce_edge.broker.reading.offset_note import OffsetNote

ID = "GrXq/5KYSjSl7IwiTpD+1g"


@pytest.mark.parametrize(
    ("note", "text"),
    [
        (OffsetNote(), ""),
        (OffsetNote(ID), ID),
        (OffsetNote(ID, 2), f"{ID} attempts=2"),
        (OffsetNote(None, 1), " attempts=1"),
    ],
)
def test_a_note_is_read_as_it_was_written(note: OffsetNote, text: str) -> None:
    assert note.text == text
    assert OffsetNote.parse(text) == note


@pytest.mark.parametrize("text", ["of another tool", " attempts=x", "a b attempts=2"])
def test_what_others_wrote_counts_as_the_id_of_another_topic(text: str) -> None:
    assert OffsetNote.parse(text) == OffsetNote(text)


def test_nothing_is_no_note() -> None:
    assert OffsetNote.parse(None) == OffsetNote()
