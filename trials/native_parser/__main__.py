"""Has the parser of native TensorRT 10.15 parse models, without a GPU and without a driver.

TensorRT makes no network without a driver. So the parser gets one that only follows shapes and
types. Nothing is built. Get the libraries first:

    mvn dependency:copy -DoutputDirectory=. \\
      -Dartifact=org.bytedeco:tensorrt:10.15-1.5.13:jar:linux-x86_64-redist
    unzip -j tensorrt-10.15-1.5.13-linux-x86_64-redist.jar '*.so*' -d native

Examples:

\b
    python -m trials.native_parser native models/digits/*/model.onnx
    python -m trials.native_parser native --operators > tests/support/tensorrt/operators.json
"""

import json
import sys
from pathlib import Path

import click
import onnx.defs

from trials.native_parser.parser import NativeParser

_DEPTH = 20_000
"""Shapes of a model follow each other layer by layer."""


@click.command(help=__doc__, context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("libraries", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("models", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--operators", is_flag=True, help="Write which operators of ONNX it knows.")
def main(libraries: Path, models: tuple[Path, ...], operators: bool) -> None:
    """Parse, and say what became of each."""
    sys.setrecursionlimit(_DEPTH)
    parser = NativeParser(libraries)
    if operators:
        names = sorted({schema.name for schema in onnx.defs.get_all_schemas()})
        click.echo(json.dumps([name for name in names if parser.knows(name)], indent=0))
    for path in models:
        found = parser.parse(path.read_bytes())
        answers = ", ".join(f"{name} {list(shape)}" for name, shape in found.outputs.items())
        said = "; ".join(found.reasons) or f"parsed, {found.n_layers} layers, {answers}"
        click.echo(f"{path}: {said}")
        for warning in found.warnings:
            click.echo(f"  asks for {warning}")


if __name__ == "__main__":
    main()
