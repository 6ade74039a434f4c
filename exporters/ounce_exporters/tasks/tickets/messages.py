"""Messages of machine operators, written by a small grammar.

A message tells one or two symptoms of one team's matters. One in six also tells of another team's
matter that is solved, so that single words don't decide. One letter of sixty is mistyped.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Phrases = Sequence[Sequence[str]]
TEAMS = ("electrical", "hydraulics", "mechanics", "software", "safety")

_SYMPTOMS: dict[str, Sequence[Phrases]] = {
    "electrical": (
        (("the main", "the spindle", "the conveyor", "the fan"), ("motor",),
         ("does not start", "trips the breaker", "hums and stands still",
          "draws too much current")),
        (("fuse", "breaker", "contactor", "relay"), ("F3", "K1", "Q2", "in the cabinet"),
         ("has blown", "keeps dropping out", "is hot", "sparks")),
        (("no voltage", "a short circuit", "a loose wire", "a burnt cable"),
         ("at the terminal", "in the cabinet", "at the sensor plug", "on phase L2")),
    ),
    "hydraulics": (
        (("oil",), ("drips", "leaks", "sprays"), ("from the cylinder", "at the valve block",
         "under the press", "out of the hose")),
        (("the pressure", "the clamping force"), ("drops", "does not build up", "swings"),
         ("when the press closes", "after some minutes", "at every stroke")),
        (("the pump", "the proportional valve", "the accumulator"),
         ("is loud", "whines", "sticks", "loses oil")),
    ),
    "mechanics": (
        (("the bearing", "the gearbox", "the guide rail", "the chuck"),
         ("grinds", "is worn", "has play", "runs hot")),
        (("a belt", "a chain", "a coupling", "a bolt"), ("broke", "is loose", "slips", "is bent"),
         ("on the left side", "near the gearbox", "at the infeed")),
        (("parts", "pallets", "boxes"), ("jam", "tilt", "get stuck"),
         ("on the belt", "in the chute", "at the stopper")),
    ),
    "software": (
        (("the screen", "the panel", "the terminal"), ("freezes", "stays black", "shows error 502",
         "asks for a login")),
        (("recipe", "program", "order"), ("4711", "from the server", "of the night shift"),
         ("cannot be loaded", "is missing", "was overwritten")),
        (("the PLC", "the scanner", "the label printer"), ("lost the network", "sends no data",
         "shows the wrong time", "needs an update")),
    ),
    "safety": (
        (("the light curtain", "the door switch", "the emergency stop"),
         ("does not react", "is bridged", "triggers without reason")),
        (("somebody", "a colleague", "a visitor"),
         ("slipped", "cut a hand", "reached into the cell"),
         ("at the press", "near the robot", "on the stairs")),
        (("a guard", "a cover", "a railing"), ("is missing", "is open", "came off"),
         ("at the saw", "at the conveyor", "behind the robot")),
    ),
}  # fmt: skip
_SOLVED = ("{} was repaired", "no more: {}", "{}, that is solved", "yesterday {}", "{} is done")
_OPENINGS = ("", "", "hello, ", "urgent: ", "line 2: ", "press 7: ", "please look, ", "since 6:40 ")
_ENDINGS = ("", "", ".", ", please come", "!", ", production stands", " (again)", ", second time")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def write(n: int, seed: int) -> tuple[NDArray[np.object_], NDArray[np.int64]]:
    """Some different messages and the team of each.

    Args:
        n: how many; the grammar has some millions.
        seed: of everything that is random.

    Returns:
        Texts and indices into `TEAMS`, arrays of shape (n,).
    """
    rng = np.random.default_rng(seed)
    texts: dict[str, int] = {}
    while len(texts) < n:
        team = int(rng.integers(len(TEAMS)))
        texts.setdefault(_message(team, rng), team)
    return np.array(list(texts), dtype=object), np.array(list(texts.values()), np.int64)


def _message(team: int, rng: np.random.Generator) -> str:
    parts = [_say(_SYMPTOMS[TEAMS[team]], rng)]
    if rng.random() < 1 / 4:
        parts.append(_say(_SYMPTOMS[TEAMS[team]], rng))
    if rng.random() < 1 / 6:
        other = (team + int(rng.integers(1, len(TEAMS)))) % len(TEAMS)
        solved = str(rng.choice(_SOLVED)).format(_say(_SYMPTOMS[TEAMS[other]], rng))
        parts.insert(int(rng.integers(len(parts) + 1)), solved)
    joined = str(rng.choice([", ", " and ", "; "])).join(parts)
    return _mistype(f"{rng.choice(_OPENINGS)}{joined}{rng.choice(_ENDINGS)}", rng)


def _say(kinds: Sequence[Phrases], rng: np.random.Generator) -> str:
    return " ".join(str(rng.choice(list(words))) for words in kinds[int(rng.integers(len(kinds)))])


def _mistype(text: str, rng: np.random.Generator) -> str:
    """Letters are left out, doubled or replaced now and then."""
    letters = list(text)
    for i in np.flatnonzero(rng.random(len(letters)) < 1 / 60):
        other = _LETTERS[int(rng.integers(len(_LETTERS)))]
        letters[i] = str(rng.choice(["", letters[i] * 2, other]))
    return "".join(letters)
