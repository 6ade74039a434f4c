"""Who waits for which answer."""

import asyncio

import pytest
from ounce_edge.front.statuses import NotAnsweredError
from ounce_edge.front.waiting import Came, ReplyMark, Waiting


@pytest.mark.parametrize(
    "header", [b"", b"http:", b"http:0000:1", b'["g","answers/d1",null]', b"\xff", b"17"]
)
def test_an_address_of_others_is_not_read(header: bytes) -> None:
    mark = ReplyMark()
    assert mark.read(mark.write(17)) == 17
    assert mark.read(header) is None
    assert ReplyMark().read(mark.write(17)) is None
    for more in (b"x", b"-", b"\xb2", b"1" * 500):
        assert mark.read(mark.write(1) + more) is None
    assert mark.read(mark.write(1)[:-1]) is None


def test_each_gets_its_own_answer_once_and_nothing_is_kept() -> None:
    async def ask() -> None:
        unclaimed: list[None] = []
        waiting = Waiting(2, lambda: unclaimed.append(None))
        with waiting.wait() as first, waiting.wait() as second:
            with pytest.raises(NotAnsweredError, match="2 requests wait") as caught, waiting.wait():
                pass
            assert caught.value.status == 429
            numbers = [waiting.mark.read(each.reply) or 0 for each in (first, second)]
            answer = Came(numbers[1], b"two", [])
            waiting.finish([answer, answer, Came(99, b"nobody", [])])
            assert await second.answer == answer
            assert not first.answer.done()
            assert len(unclaimed) == 2
        assert len(waiting) == 0
        waiting.finish([Came(numbers[0], b"late", [])])
        assert len(unclaimed) == 3

    asyncio.run(ask())
