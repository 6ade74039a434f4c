"""`ounce engines`: builds engines of TensorRT before anything needs them, lists and prunes them."""

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import click
from ounce_schemas.documents import CARD_FILE, MODEL_FILE, TASK_FILE, read_card, read_model
from ounce_schemas.errors import ArtifactError

from ounce_edge.models.runtimes.tensorrt.batch_profile import BatchProfile
from ounce_edge.models.runtimes.tensorrt.cache import CachedEngine, EngineCache
from ounce_edge.models.runtimes.tensorrt.cuda import find_cuda
from ounce_edge.models.runtimes.tensorrt.device import ANY, check_device, find_device
from ounce_edge.models.runtimes.tensorrt.engines import Target, find_engine
from ounce_edge.models.runtimes.tensorrt.libraries import Flavour, find_tensorrt

_cache_option = click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path(".ounce-engines"),
    show_default=True,
    help="Folder of engines; of this user alone.",
)


@click.group("engines")
def command() -> None:
    """Build engines of TensorRT before anything needs them; list and prune them.

    \b
    Examples:
      ounce engines build digits
      ounce engines list
      ounce engines prune --most-mb 500
    """


@command.command("build")
@click.argument("tasks", nargs=-1, required=True, metavar="TASK...")
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    default=Path("models"),
    show_default=True,
    help="Folder that `ounce train` writes.",
)
@click.option(
    "--tensorrt",
    type=click.Choice([str(flavour) for flavour in Flavour]),
    default=str(Flavour.NATIVE),
    show_default=True,
    help="Library to build with; tensorrt-rtx builds without a GPU.",
)
@_cache_option
def build(tasks: tuple[str, ...], models: Path, tensorrt: str, cache: Path) -> None:
    """Build the engines of all models of TASK that TensorRT takes.

    Models that it does not take stay on the CPU; the reason is shown, and kept for
    `ounce runtimes`. Exit code 1 where no engine is there at the end.

    Example: ounce engines build digits bearing --tensorrt tensorrt-rtx
    """
    flavour = Flavour(tensorrt)
    found = find_tensorrt(flavour)
    device = ANY
    if flavour is Flavour.NATIVE:
        device = find_device(find_cuda())
        check_device(found, device)
    target = Target(found, device, BatchProfile())
    store = EngineCache(cache)
    n = 0
    for task in tasks:
        for path, content in _models(models / task):
            name = "/".join(path.parts[-3:-1])
            begun_s = time.monotonic()
            try:
                engine, is_new = find_engine(store, target, path, content, _Progress(name))
            except ArtifactError as e:
                _say(f"{name}: stays on the CPU: {e}")
                continue
            took = f"built in {time.monotonic() - begun_s:.1f} s" if is_new else "was there"
            _say(f"{name}: {took}, {len(engine) / 1e6:.1f} MB")
            n += 1
    if not n:
        # It may take them all, and the disk be full.
        of = ", ".join(tasks)
        raise ArtifactError(f"{found.name} has no engine of {of}: the lines above say why")


@command.command("list")
@_cache_option
def show(cache: Path) -> None:
    """List the engines of the cache, those that were used last first.

    Example: ounce engines list
    """
    engines = EngineCache(cache).list()
    if not engines:
        click.echo(f"no engines in {cache}: `ounce engines build TASK` makes them", err=True)
    for engine in engines:
        click.echo(f"{_name(engine)}  {engine.size_bytes / 1e6:.1f} MB  {engine.path.name[:12]}")


@command.command("prune")
@click.option(
    "--models",
    type=click.Path(path_type=Path),
    help="Keep only engines of models that this folder holds.",
)
@click.option("--most-mb", type=float, help="Keep at most so many megabytes, those used last.")
@_cache_option
def prune(models: Path | None, most_mb: float | None, cache: Path) -> None:
    """Remove damaged engines, and those that the options say.

    Example: ounce engines prune --models models --most-mb 500
    """
    known = None if models is None else set(_digests(models))

    def keep(engine: CachedEngine) -> bool:
        return engine.key is not None and (known is None or engine.key.model_sha256 in known)

    most_bytes = None if most_mb is None else round(most_mb * 1e6)
    store = EngineCache(cache)
    freed = store.prune(keep, most_bytes)
    if known is not None:
        store.refusals.prune(known)
    click.echo(f"{freed / 1e6:.1f} MB freed")


def _models(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Model files of a task with their content, each as its card says."""
    if not (folder / TASK_FILE).is_file():
        raise ArtifactError(f"{folder}: no {TASK_FILE} there; make it with `ounce train`")
    for card_path in sorted(folder.glob(f"[!.]*/{CARD_FILE}")):
        path = card_path.with_name(MODEL_FILE)
        yield path, read_model(path, read_card(card_path).sha256)


def _digests(models: Path) -> Iterator[str]:
    for path in models.glob(f"[!.]*/[!.]*/{CARD_FILE}"):
        yield read_card(path).sha256


def _name(engine: CachedEngine) -> str:
    key = engine.key
    if key is None:
        return "damaged"
    best = min(key.best, engine.most)
    return f"{engine.model}  {key.tensorrt}  {key.gpu} {key.capability}  {best}/{engine.most} items"


class _Progress:
    """One line that is written over, on a terminal."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, phase: str, share: float) -> None:
        if sys.stderr.isatty():
            click.echo(f"\r\x1b[K{self._name}: {phase} {share:.0%}", nl=False, err=True)


def _say(line: str) -> None:
    if sys.stderr.isatty():
        click.echo("\r\x1b[K", nl=False, err=True)
    click.echo(line)
