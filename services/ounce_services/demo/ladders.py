"""The ladders that the demo routes among: reused where they are whole, trained where not."""

from pathlib import Path

from ounce_schemas.documents import CARD_FILE, TASK_FILE, TEST_SPLIT_FILE

from ounce_services.demo.children import Children, ounce_command


def has_ladder(models: Path, task: str) -> bool:
    """Whether `models/<task>` holds a ladder whose training was not cut short."""
    folder = models / task
    return (
        (folder / TASK_FILE).is_file()
        and (folder / TEST_SPLIT_FILE).is_file()
        and any(folder.glob(f"[!.]*/{CARD_FILE}"))
        and not _unfinished_mark(models, task).exists()
    )


def train_ladder(models: Path, task: str, children: Children) -> None:
    """Run `ounce train`, which shows its own progress.

    A training that is cut short leaves a hidden mark, so that the next demo starts it again
    instead of showing half a ladder.

    Raises:
        ChildError: the training failed.
    """
    mark = _unfinished_mark(models, task)
    models.mkdir(parents=True, exist_ok=True)
    mark.touch()
    child = children.start(
        f"ounce train {task}", ounce_command("train", task, "--models", str(models))
    )
    if child.wait() != 0:
        raise child.error()
    mark.unlink()


def _unfinished_mark(models: Path, task: str) -> Path:
    return models / f".{task}-unfinished"
