"""Finding TensorRT: the native library, or the one for RTX cards, with the same API."""

import importlib
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ounce_schemas.errors import RuntimeAbsentError

MAJORS = (10, 11)
"""Of the native library. JetPack 6 has 10."""


class Flavour(StrEnum):
    """Which TensorRT. Engines of one are nothing to the other."""

    NATIVE = "tensorrt"
    RTX = "tensorrt-rtx"


_MODULES = {Flavour.NATIVE: ("tensorrt",), Flavour.RTX: ("tensorrt_rtx", "tensorrt_rtx_bindings")}
"""Names that packages give it. NVIDIA's wheels of RTX have the second alone."""
_EXTRAS = {Flavour.NATIVE: "gpu", Flavour.RTX: "rtx"}


@dataclass(frozen=True)
class TensorRt:
    """A TensorRT that was found."""

    flavour: Flavour
    version: str
    api: Any
    """The module. Its names are those of `tensorrt`."""

    @property
    def name(self) -> str:
        """Name and version, for example `tensorrt 10.16.1`."""
        return f"{self.flavour} {self.version}"

    @property
    def cuda_major(self) -> int | None:
        """Of the CUDA that its package was built with, for example 13; None where nothing says it,
        as in JetPack. Where packages for two are installed, the lower: pip writes the files of the
        second over those of the first, and keeps both names."""
        place = getattr(self.api, "__file__", None)
        if place is None:
            return None
        start = f"{self.flavour.replace('-', '_')}_cu"
        folders = Path(place).parents[1].glob(f"{start}*_bindings-*.dist-info")
        majors = [folder.name.removeprefix(start).partition("_")[0] for folder in folders]
        return min((int(major) for major in majors if major.isdigit()), default=None)


def find_tensorrt(flavour: Flavour = Flavour.NATIVE) -> TensorRt:
    """Import it.

    Raises:
        RuntimeAbsentError: the package is absent, or its libraries are, or it is of another major
            version.
    """
    extra = _EXTRAS[flavour]
    for name in _MODULES[flavour]:
        try:
            api = importlib.import_module(name)
        except ModuleNotFoundError as e:
            if (e.name or "").partition(".")[0].startswith("tensorrt"):
                continue
            raise
        except (ImportError, OSError) as e:  # the loader does not find a shared library
            raise RuntimeAbsentError(
                f"{flavour}: the package {name!r} is installed, but its libraries don't load: "
                f"{' '.join(str(e).split())}; install libraries of the same version, for example "
                f'with pip install "ounce[{extra}]"'
            ) from e
        return _checked(flavour, api)
    raise RuntimeAbsentError(
        f'{flavour}: the package is not installed; install it with pip install "ounce[{extra}]", '
        "and run on a machine with an NVIDIA GPU"
    )


def _checked(flavour: Flavour, api: Any) -> TensorRt:
    version = str(api.__version__)
    major = version.partition(".")[0]
    if flavour is Flavour.NATIVE and (not major.isdigit() or int(major) not in MAJORS):
        known = " and ".join(map(str, MAJORS))
        raise RuntimeAbsentError(
            f"{flavour}: version {version} is installed; versions {known} are known: "
            'pip install "ounce[gpu]"'
        )
    return TensorRt(flavour, version, api)
