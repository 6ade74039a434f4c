"""What is said of a table's columns: one line each, and one for all that are alike."""


class Notices:
    """Lines for a person, in the order in which their first column came."""

    def __init__(self) -> None:
        self._names: dict[str, list[str]] = {}

    def say(self, line: str) -> None:
        """A line of its own."""
        self._names.setdefault(line, [])

    def say_of(self, text: str, name: str) -> None:
        """A text that may hold for several columns, which are listed behind it."""
        self._names.setdefault(text, []).append(name)

    @property
    def lines(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(
            f"{text} {', '.join(map(repr, names))}" if names else text
            for text, names in self._names.items()
        )
