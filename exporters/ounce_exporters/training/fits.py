"""What a fit of a network is of, and where it stands: for its checkpoint."""

import hashlib
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from ounce_exporters.training.checkpoints import State


class Stateful(Protocol):
    """A module, an optimizer or a schedule."""

    def state_dict(self) -> dict[str, Any]:
        """All that it goes on with."""
        ...

    def load_state_dict(self, state_dict: dict[str, Any], /) -> Any:
        """Go on with it."""
        ...


def identify(
    network: nn.Module, arrays: Mapping[str, Any], settings: Any, seed: int
) -> dict[str, Any]:
    """What a fit is of: layers, settings, data, first weights.

    Args:
        network: before it learns.
        arrays: what it learns from, by name.
        settings: a dataclass.
        seed: of everything that is random.
    """
    state = network.state_dict()
    first = hashlib.sha256()
    for tensor in state.values():
        first.update(tensor.detach().contiguous().numpy().tobytes())
    return {
        "layer": {name: list(tensor.shape) for name, tensor in state.items()},
        "setting": {field.name: _said(getattr(settings, field.name)) for field in fields(settings)},
        "seed": seed,
        "data": {name: _digest(array) for name, array in arrays.items()},
        "start": first.hexdigest(),
        "library": {"torch": torch.__version__},
    }


def standing(parts: Mapping[str, Stateful], generator: torch.Generator, **others: Any) -> State:
    """Where a fit stands; `resume` goes on with it."""
    return {
        "parts": {name: part.state_dict() for name, part in parts.items()},
        "generator": generator.get_state(),
        "torch": torch.get_rng_state(),
        **others,
    }


def resume(state: State, parts: Mapping[str, Stateful], generator: torch.Generator) -> None:
    """Bring the parts of a fit and all randomness to where they were."""
    for name, part in parts.items():
        part.load_state_dict(state["parts"][name])
    generator.set_state(state["generator"])
    torch.set_rng_state(state["torch"])


def _said(value: Any) -> Any:
    if value is None or isinstance(value, str | bool | int | float):
        return value
    if isinstance(value, Tensor | np.ndarray):
        return _digest(np.asarray(value))
    # A function or an object: its name, as its text may hold an address.
    return getattr(value, "__qualname__", None) or type(value).__qualname__


def _digest(array: Any) -> str:
    found = np.ascontiguousarray(array)
    head = f"{found.dtype} {found.shape}".encode()
    return hashlib.sha256(head + found.tobytes()).hexdigest()[:16]
