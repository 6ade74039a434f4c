"""Starting to learn from the weights of another network.

The last layer learns alone first, then all layers at a lower rate, so that what was learned before
is not undone while the last layer still guesses.

Source: Kumar, A., Raghunathan, A., Jones, R., Ma, T. & Liang, P. (2022). Fine-tuning can distort
pretrained features and underperform out-of-distribution. ICLR.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import CARD_FILE, read_card
from ounce_schemas.errors import ArtifactError, DataError
from safetensors import SafetensorError
from safetensors.numpy import load_file
from torch import nn

from ounce_exporters.ladder.recipe import FittedModel, Progress
from ounce_exporters.training.neural import WEIGHTS_FILE, Rescaled, Training, fit_task
from ounce_exporters.training.tuning import Family, Fit

_PROBE_SHARE = 0.3
"""Of the epochs, for the last layer alone."""
_LOWER = 0.3
"""Share of the learning rate at which all layers learn."""


@dataclass(frozen=True)
class Start:
    """A network to start from."""

    card: ModelCard
    weights: Mapping[str, NDArray[Any]]

    @property
    def named(self) -> str:
        """How errors name it."""
        return f"--from {self.card.task}/{self.card.model}"

    @property
    def told(self) -> str:
        """How a card of what it becomes names it."""
        return f"fine-tuned from {self.card.task}/{self.card.model} {self.card.version}"


def read_start(folder: Path) -> Start:
    """Read a model's card and weights.

    Raises:
        ArtifactError: there is no such model, or it keeps no weights.
    """
    card = read_card(folder / CARD_FILE)
    path = folder / WEIGHTS_FILE
    try:
        return Start(card, load_file(path))
    except FileNotFoundError as e:
        raise ArtifactError(
            f"{path}: not there: only networks of images, of sequences and of the tasks that ship "
            "keep weights; give the folder of one, such as models/mnist/cnn"
        ) from e
    except (OSError, SafetensorError) as e:
        raise ArtifactError(f"{path}: can't be read: {' '.join(str(e).split())}") from e


def started(
    families: Sequence[Family], start: Start, networks: Mapping[str, Callable[[], nn.Module]]
) -> list[Family]:
    """The families, of which the one of the start's name begins with its weights.

    Args:
        families: the fit of a neural one takes `start`.
        start: of one of them.
        networks: make the neural ones, untrained.

    Raises:
        DataError: none has its name, or the one that has has other layers.
    """
    name = start.card.model
    if name not in networks:
        raise DataError(
            f"{start.named}: this task has no such network; it has {', '.join(networks)}"
        )
    check_layers(networks[name](), start)
    return [
        replace(
            family,
            algorithm=f"{family.algorithm}, {start.told}",
            make=partial(_make_started, family.make, start),
        )
        if family.name == name
        else family
        for family in families
    ]


def _make_started(make: Callable[..., Fit], start: Start, **options: Any) -> Fit:
    fit: Callable[..., FittedModel] = make(**options)
    return partial(fit, start=start)


def fit_network(
    make: Callable[[], nn.Module],
    learned: tuple[NDArray[Any], NDArray[Any]],
    training: Training,
    seed: int,
    progress: Progress,
    *,
    start: Start | None,
) -> nn.Module:
    """Train a network for a task, from the weights of another one where there is a start.

    Args:
        make: builds it.
        learned: inputs and targets, as of `fit_task`.
        training: its epochs are those of all layers; the last layer learns alone before.
        seed: of everything that is random.
        progress: told the share done.
        start: has the same layers, but for the last one.

    Raises:
        DataError: the network to start from is another one.
    """
    inputs, targets = learned
    if start is None:
        return fit_task(make, inputs, targets, training, seed, progress)
    n_probes = max(1, round(_PROBE_SHARE * training.epochs))
    share = n_probes / (training.epochs + n_probes)
    probe = replace(training, epochs=n_probes)

    def begin() -> nn.Module:
        network = make()
        take_weights(network, start)
        for name, parameter in network.named_parameters():
            parameter.requires_grad = name in _last_layer(network)
        return network

    probed = fit_task(begin, inputs, targets, probe, seed, lambda done: progress(share * done))
    network = probed.network if isinstance(probed, Rescaled) else probed

    def go_on() -> nn.Module:
        for parameter in network.parameters():
            parameter.requires_grad = True
        return network

    rest = replace(training, learning_rate=_LOWER * training.learning_rate)
    return fit_task(
        go_on, inputs, targets, rest, seed, lambda done: progress(share + (1 - share) * done)
    )


def take_weights(network: nn.Module, start: Start) -> None:
    """Give a network the weights of another one, but for the last layer and what the data says.

    Raises:
        DataError: their layers differ.
    """
    kept = {
        name: torch.from_numpy(np.array(start.weights[name]))
        for name in check_layers(network, start)
    }
    network.load_state_dict({**network.state_dict(), **kept})


def check_layers(network: nn.Module, start: Start) -> set[str]:
    """The names of the layers that a network takes from another one: all but the last.

    Raises:
        DataError: their layers differ.
    """
    own, given = network.state_dict(), start.weights
    wanted = own.keys() - _last_layer(network)
    wrong = [n for n in wanted if n not in given or given[n].shape != tuple(own[n].shape)]
    wrong += given.keys() - own.keys()
    if wrong:
        name = min(wrong)
        here = list(own[name].shape) if name in own else "none"
        there = list(given[name].shape) if name in given else "none"
        raise DataError(
            f"{start.named}: its network is another one: layer {name!r} is {there} there and "
            f"{here} here; start from a model of the same name whose images or sequences have the "
            "same size and channels, or leave out --from"
        )
    return wanted


def _last_layer(network: nn.Module) -> set[str]:
    found = [name for name, module in network.named_modules() if isinstance(module, nn.Linear)]
    return {f"{found[-1]}.weight", f"{found[-1]}.bias"}
