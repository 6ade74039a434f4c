"""What a model was made with: library versions, a network of somebody else."""

import platform
from importlib.metadata import version

from ounce_schemas.card import BackboneOrigin

_LIBRARIES = ("ounce", "numpy", "onnx", "onnxruntime", "scikit-learn", "skl2onnx", "torch")


def library_versions() -> dict[str, str]:
    """Versions of everything that takes part in training and export."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def backbone_lines(origin: BackboneOrigin | None) -> list[str]:
    """What a card's page says of a network that was made elsewhere; nothing where there is none."""
    if origin is None:
        return []
    return [
        f"Reads the tensor `{origin.tensor}` of `{origin.file}`, which learned nothing here: "
        f"sha256 `{origin.sha256}`, licence: {origin.licence or 'not said'}."
    ]
