"""`ounce runtimes`."""

from pathlib import Path

import click
from ounce_schemas.errors import OunceError

from ounce_edge.models.device_card import measure_device
from ounce_edge.models.runtimes.availability import check_runtimes
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.tensorrt.refusals import Refusals

_NOTHING = "can't be used"


@click.command("runtimes")
@click.option(
    "--card",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also measure how fast this machine runs models, and write that: for `ounce advise "
    "--device` on another one. Takes two seconds.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    default=Path(".ounce-engines"),
    show_default=True,
    help="Folder of engines, which also says of which models there can be none.",
)
def command(card: Path | None, cache: Path) -> None:
    """Show which runtimes this machine can use, and why not the others; and which models
    TensorRT does not take, and why.

    Exit code 0, also where there is no GPU; 1: the card can't be written.

    \b
    Examples:
      ounce runtimes
      ounce runtimes --card pi.json
    """
    for found in check_runtimes():
        can = {"runs models": found.can_run, "builds engines": found.can_build}
        words = " and ".join(word for word, is_so in can.items() if is_so)
        click.echo(f"{found.name}: {words or _NOTHING}")
        click.echo(f"  {found.where}")
    for refusal in Refusals(cache).list():
        click.echo(f"{refusal.model}: on the CPU alone, on {refusal.key.gpu}")
        click.echo(f"  {refusal.reason}")
    if card is not None:
        _write_card(card)


def _write_card(path: Path) -> None:
    device = measure_device(OnnxCpuRuntime())
    try:
        path.write_text(device.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as e:
        raise OunceError(f"{path}: can't be written: {e.strerror or e}") from e
    times = device.reference
    click.echo(
        f"{path}: {device.processor} takes {times.call_us:g} µs for any call, {times.matrix_us:g} "
        f"for products of matrices, {times.trees_us:g} for trees, {times.convolution_us:g} for "
        "convolutions"
    )
