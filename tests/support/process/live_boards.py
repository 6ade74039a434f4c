"""Dashboards that are drawn from a Prometheus that runs."""

import os
import time
from collections.abc import Iterable
from pathlib import Path

from tests.support.process.boards import board
from tests.support.process.pictures import height_of, page_of, photograph
from tests.support.process.prometheus import Prometheus

_ANSWER_S = 60


def draw(server: Prometheus, paths: Iterable[Path], folder: Path) -> None:
    """Each dashboard as a page; as a picture, too, in the folder that OUNCE_PICTURES names.

    Raises:
        AssertionError: a panel is missing, or has no data.
    """
    pictures = os.environ.get("OUNCE_PICTURES")
    for path in paths:
        document = board(path)
        text = page_of(document, server)
        assert text.count("<h3>") == len(document["panels"])
        assert "NO DATA" not in text, path.stem
        page = folder / f"{path.stem}.html"
        page.write_text(text, encoding="utf-8")
        if pictures:
            photograph(page, Path(pictures) / f"{path.stem}.png", height_of(document))


def answered(server: Prometheus, expression: str) -> bool:
    """Whether it has an answer soon; errors are raised."""
    until_s = time.monotonic() + _ANSWER_S
    while time.monotonic() < until_s:
        if server.query(expression):
            return True
        time.sleep(0.5)
    return False
