"""What the structure of the data says: which models suit it, and what a pretrained start saves.
Pure."""

import re
from collections.abc import Iterable, Sequence

from ounce_schemas.advice import Arm, Look, Reason
from ounce_schemas.task import TaskKind
from ounce_schemas.wording import counted

from ounce_exporters.advisor.wording import against, gain

RACE = "the race on this data"
_SMOOTH = ("logistic-regression", "ridge", "kernel-svm")
_CLASSICAL = {
    "image": "models of single pixels",
    "sequence": "models of fixed features",
    "text": "linear models of n-grams",
}
"""The classical models of a structure."""
_STARTS = "what `ounce train --from` takes; the forecast of the race's curve"
_NO_TRANSFER = Reason(
    topic="transfer",
    text="no pretrained start: `--from` is for networks of images and of sequences",
    source="what `ounce train --from` takes",
)
_UNTOLD = Reason(
    topic="transfer",
    text="what a pretrained start saves can't be told: no network raced",
    source=_STARTS,
)
_NOUNS = {"table": "rows", "image": "images", "sequence": "sequences", "text": "texts"}
_ROWS = re.compile(r"\brow(s?)\b")


def items_of(look: Look) -> str:
    """What the items of the data are called, several of them."""
    return _NOUNS[look.structure]


def name_items(reason: Reason, look: Look) -> Reason:
    """A reason that calls the items what they are."""
    word = items_of(look).removesuffix("s")
    text, source = (_ROWS.sub(rf"{word}\1", told) for told in (reason.text, reason.source))
    return reason.model_copy(update={"text": text, "source": source})


def say_shape(look: Look) -> str:
    """What an item is, in words."""
    if look.structure == "image":
        height, width, channels = look.shape
        return f"images of {height} x {width} pixels, {'grey' if channels == 1 else 'in colour'}"
    if look.structure == "sequence":
        steps, n = look.shape
        return f"sequences of {steps} steps of {counted(n, 'channel')}"
    if look.structure == "table":
        numbers = counted(look.n_numbers, "number")
        categories = counted(look.n_texts, "category", "categories")
        parts = ((look.n_numbers, numbers), (look.n_texts, categories))
        return " and ".join(told for n, told in parts if n)
    told = f"texts, of which models read {' and '.join(map(str, look.shape))} bytes"
    if look.n_numbers or look.n_texts > len(look.shape):
        told += ", beside other columns"
    return told


def structure(look: Look, ran: Sequence[Arm]) -> Reason:
    """What the data is like, and which kind of model that suits in the race."""
    told = say_shape(look)
    if look.structure == "table":
        return _of_table(look, f"a table of {told}", ran)
    networks = best_of(arm for arm in ran if arm.family == "neural")
    others = best_of(arm for arm in ran if arm.family == "classical")
    if networks is None or others is None:
        return Reason(topic="structure", text=told, source=RACE)
    gap = 100 * (accuracy_of(networks) - accuracy_of(others))
    return Reason(
        topic="structure",
        text=f"{told}; networks are {against(gap, _CLASSICAL[look.structure])} here",
        figures={"networks_ahead_points": gap},
        source=RACE,
    )


def _of_table(look: Look, told: str, ran: Sequence[Arm]) -> Reason:
    trees = best_of(
        a for a in ran if "boost" in a.model or "forest" in a.model or "trees" in a.model
    )
    lines = best_of(a for a in ran if a.model in _SMOOTH)
    shape = f"{told}; skewed columns: {look.skewed}, heavy-tailed: {look.heavy_tailed}"
    if not (look.skewed or look.heavy_tailed):
        shape = f"{told}; no column is skewed or heavy-tailed"
    figures: dict[str, float] = {"skewed": look.skewed, "heavy_tailed": look.heavy_tailed}
    source = RACE
    if trees is not None and lines is not None:
        gap = 100 * (accuracy_of(trees) - accuracy_of(lines))
        figures["trees_ahead_points"] = gap
        shape += f"; trees are {against(gap, 'smooth models')} here"
        source += "; that irregular columns favour trees: McElfresh et al., NeurIPS 2023"
    return Reason(topic="structure", text=shape, figures=figures, source=source)


def transfer(look: Look, arms: Sequence[Arm]) -> Reason:
    """What a network would gain by starting from another one."""
    if look.structure not in ("image", "sequence"):
        return _NO_TRANSFER
    networks = [arm for arm in arms if arm.family == "neural" and arm.curve]
    if not networks:
        return _UNTOLD
    best = max(networks, key=lambda arm: arm.curve[-1].validation)
    rows, now = best.curve[-1].n_rows, best.curve[-1].validation
    if not best.forecast:
        return Reason(
            topic="transfer",
            text=f"{best.model} can start from another network of the same size; what that saves "
            "can't be told: its curve has no forecast",
            source=_STARTS,
        )
    points = 100 * (best.forecast[0].value - now)
    return Reason(
        topic="transfer",
        text=f"{best.model} can start from another network of the same size; a start that is worth "
        f"as many labels as there are ({rows:,}) is forecast to give {gain(points)}",
        figures={"labels_saved": rows, "points": points},
        source=_STARTS,
    )


def labels(kind: TaskKind, *, judged: bool) -> Reason | None:
    """What strange rows without labels leave open."""
    if kind != "anomaly" or judged:
        return None
    return Reason(
        topic="labels",
        text="no row is labelled: the race compares false alarms alone, and which model finds more "
        "can't be told; some labelled anomalies (--target) change that",
        source="how the task is made: `ounce train --kind anomaly`",
    )


def best_of(arms: Iterable[Arm]) -> Arm | None:
    """The most accurate of some arms that ran to the end."""
    return max(arms, key=accuracy_of, default=None)


def accuracy_of(arm: Arm) -> float:
    """Of an arm that ran to the end."""
    assert arm.accuracy is not None
    return arm.accuracy.value
