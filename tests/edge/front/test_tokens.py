"""Who may call."""

from pathlib import Path

import pytest
from ounce_edge.front.tokens import Tokens, TokensError

FIRST, SECOND = "a" * 16, "b" * 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "tokens"
    path.write_text(f"# of the ward\n\n{FIRST}\n{SECOND}\n")
    return path


def test_a_token_of_the_file_opens(path: Path) -> None:
    tokens = Tokens(path)
    assert tokens.permit(f"Bearer {FIRST}")
    assert tokens.permit(f"bearer  {SECOND} ")
    for wrong in (
        "",
        "Bearer",
        "Bearer ",
        FIRST,
        f"Basic {FIRST}",
        f"Bearer {FIRST}x",
        "Bearer \udcff",
    ):
        assert not tokens.permit(wrong)


def test_without_a_file_nobody_is_asked() -> None:
    assert Tokens(None).permit("")
    Tokens(None).read_again()


def test_a_replaced_file_counts_unless_it_can_not_be_used(path: Path) -> None:
    tokens = Tokens(path)
    path.write_text(SECOND)
    tokens.read_again()
    assert (tokens.permit(f"Bearer {FIRST}"), tokens.permit(f"Bearer {SECOND}")) == (False, True)
    path.write_text("")
    tokens.read_again()
    path.unlink()
    tokens.read_again()
    assert tokens.permit(f"Bearer {SECOND}")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b"\n# none\n", "holds no token"),
        (b"short", "line 1 is no token of 16"),
        (b"with a blank in the middle", "line 1"),
        ("é".encode() * 20, "line 1"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_a_file_that_can_not_be_used_is_refused(path: Path, text: bytes, why: str) -> None:
    path.write_bytes(text)
    with pytest.raises(TokensError, match=why) as caught:
        Tokens(path)
    assert "blank in" not in str(caught.value)
    path.unlink()
    with pytest.raises(TokensError, match="can't be read"):
        Tokens(path)
