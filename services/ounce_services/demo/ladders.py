"""The ladders that the demo routes among: a real one where there is one, else a quick one."""

from collections.abc import Iterable
from pathlib import Path

from ounce_schemas.documents import CARD_FILE, QUICK_FOLDER, TASK_FILE, TEST_SPLIT_FILE


def has_ladder(models: Path, task: str) -> bool:
    """Whether `models/<task>` holds a ladder. `ounce train` puts it there whole or not at all."""
    folder = models / task
    return (
        (folder / TASK_FILE).is_file()
        and (folder / TEST_SPLIT_FILE).is_file()
        and any(folder.glob(f"[!.]*/{CARD_FILE}"))
    )


def find_ladder(models: Path, task: str) -> Path | None:
    """The folder of a task's ladder: the real one, else the quick one, else None."""
    for folder in (models, models / QUICK_FOLDER):
        if has_ladder(folder, task):
            return folder / task
    return None


def link_ladders(ladders: Iterable[Path], folder: Path) -> None:
    """Make `folder` a models folder of ladders that lie in several."""
    folder.mkdir()
    for ladder in ladders:
        (folder / ladder.name).symlink_to(ladder.resolve(), target_is_directory=True)
