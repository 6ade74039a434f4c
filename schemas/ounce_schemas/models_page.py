"""What a worker's page `/models` shows: which models serve each task, and which were to."""

import msgspec

MODELS_PAGE = "/models"


class TaskModels(msgspec.Struct, frozen=True):
    """The models of one task."""

    task: str
    catalogue: str
    """Version of what serves."""
    models: dict[str, str]
    """What serves: versions by name of the model."""
    release: str = ""
    """Digest of the release that they are of; empty: they are of the worker's folder."""
    asked: str = ""
    """Digest of the release that is to serve; empty: none is."""
    why: str = ""
    """Why what is asked for does not serve; empty: it does, but for what is refused."""
    refused: tuple[str, ...] = ()
    """Of what serves, one line for each model that was refused: its name and why."""
