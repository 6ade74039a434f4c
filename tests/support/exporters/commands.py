"""Training for tests of what is trained."""

from pathlib import Path

from tests.support.process.command import ounce


def trained(models: Path, *arguments: str) -> Path:
    """The folder, in which `ounce train` made a ladder."""
    from tests.support.exporters.operators import gathered_once  # loads PyTorch

    with gathered_once():
        told = ounce("train", *arguments, f"--models={models}")
    assert told.code == 0, told.stderr
    return models
