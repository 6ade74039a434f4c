"""A folder for each class, read as a table of paths and classes."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
from ounce_schemas.errors import DataError
from ounce_schemas.wording import counted

from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.reading import Table

PATHS, CLASSES = "image", "class"
"""Columns of that table."""
SUFFIXES = (".png", ".jpg", ".jpeg")


def read_folder(path: Path, *, flat: bool = False) -> Table:
    """Paths are relative to the folder, and in order.

    Args:
        path: the folder.
        flat: whether files that lie in no folder of a class are read, too; their class is empty.

    Raises:
        DataError: it can't be read, or has no folder with images.
    """
    found: list[tuple[str, str]] = []
    others: list[str] = []
    try:
        if flat:
            names = sorted(p.name for p in path.iterdir() if p.is_file() and p.name[0] != ".")
            found += [(name, "") for name in names if is_image_name(name)]
            others += [name for name in names if not is_image_name(name)]
        for folder in sorted(p for p in path.iterdir() if p.is_dir() and p.name[0] != "."):
            for file in sorted(p for p in folder.rglob("*") if p.is_file() and p.name[0] != "."):
                name = str(file.relative_to(path))
                if is_image_name(name):
                    found.append((name, folder.name))
                else:
                    others.append(name)
    except OSError as e:
        raise DataError(f"{path}: can't be read: {e.strerror or e}") from e
    if not found and flat:
        raise DataError(f"{path} has no PNG or JPEG files")
    if not found:
        raise DataError(
            f"{path} has no folder with PNG or JPEG files: put the images of each class into a "
            "folder of the class's name"
        )
    frame = pd.DataFrame(found, columns=[PATHS, CLASSES], dtype=str)
    n_classes = frame[CLASSES].nunique()
    notices = [f"read as: images in a folder for each class, {len(found)} in {n_classes}"]
    if (frame[CLASSES] == "").all():
        notices = [f"read as: {counted(len(found), 'image')} of a folder"]
    if others:
        notices.append(
            f"files that are no PNG or JPEG are left out: {len(others)}, the first is {others[0]!r}"
        )
    return Table(frame, tuple(notices))


def as_folder(
    path: Path, target: str | None, options: TableOptions
) -> tuple[str | None, TableOptions]:
    """Target and options of a folder of classes, which need not be said; of others as they are.

    Raises:
        DataError: something else is said.
    """
    if not path.is_dir():
        return target, options
    if target not in (None, CLASSES):
        raise DataError(
            f"--target {target}: {path} is a folder, so of images, and the class of an image is "
            "the folder that it is in; of a table give the file"
        )
    if options.kind in ("anomaly", "clusters"):  # what they don't need is taken where it is said
        return target, options
    return CLASSES, replace(options, kind=options.kind or "classification")


def is_image_name(text: str) -> bool:
    """Whether a path ends as those of PNG and JPEG files do."""
    return text.lower().endswith(SUFFIXES)
