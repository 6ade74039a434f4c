"""Files that are made from the code: are they as the code says?"""

from collections.abc import Mapping
from pathlib import Path

from ounce_schemas.errors import OunceError


def check_made_files(files: Mapping[Path, str], command: str) -> None:
    """Compare files with what would be written.

    Args:
        files: by path, the text that each should have.
        command: writes them.

    Raises:
        OunceError: naming those that are absent, and those that differ.
    """
    absent = [path for path in files if not path.is_file()]
    if len(absent) == len(files):
        raise OunceError(
            f"there is none of the files that {command} writes, such as {absent[0].absolute()}: "
            "run it in a checkout of Ounce, or name the folder with --out"
        )
    there = {path: text for path, text in files.items() if path not in absent}
    differing = [p for p, text in there.items() if p.read_text(encoding="utf-8") != text]
    faults = [
        f"{', '.join(map(str, paths))} {what}"
        for paths, what in ((absent, "missing"), (differing, "not as the code says"))
        if paths
    ]
    if faults:
        raise OunceError(f"{'; '.join(faults)}: run {command}")
