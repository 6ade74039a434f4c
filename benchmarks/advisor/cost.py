"""What advice itself takes: time and memory of `ounce advise` on a made-up table.

Example: python -m benchmarks.advisor.cost
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import click
import pandas as pd
from ounce_schemas.documents import read_advice
from sklearn.datasets import make_classification

from benchmarks.results import Cell, Table, publish_option, report

N_ROWS, N_COLUMNS = 10_000, 20
_PROGRAM = "from ounce_schemas.command import main; main()"


@click.command(help=__doc__)
@click.option("--repeats", type=click.IntRange(1), default=1, show_default=True, help="Runs.")
@publish_option
def command(repeats: int, publish: bool) -> None:
    """Advise in a process of its own, and tell what it took."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "table.csv")
        rows = [advise(folder) for _ in range(repeats)]
    table = Table(
        columns=["rows", "columns", "kinds of models", "s", "s of processors", "peak memory, GB"],
        rows=rows,
        note="From the start of the command to its end; the table has three classes.",
    )
    report("advisor_cost", {"advisor_cost": table}, publish=publish)


def write_table(path: Path) -> None:
    """A table of numbers, three classes that no line tells apart, a twentieth mistaken."""
    inputs, targets = make_classification(
        N_ROWS, N_COLUMNS, n_informative=8, n_redundant=4, n_classes=3, flip_y=0.05, random_state=0
    )
    frame = pd.DataFrame(inputs.round(4), columns=[f"c{place}" for place in range(N_COLUMNS)])
    frame["target"] = [f"class {target}" for target in targets]
    frame.to_csv(path, index=False)


def advise(folder: Path) -> list[Cell]:
    """A row of the table: one run of the command."""
    out = folder / "advice.json"
    words: list[str | Path] = [
        "advise",
        "--data",
        folder / "table.csv",
        "--target",
        "target",
        "--out",
        out,
    ]
    begun_s = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, *words], stdout=subprocess.DEVNULL, stderr=sys.stderr
    )
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise click.ClickException(f"ounce advise: exit code {process.returncode}")
    taken_s = time.monotonic() - begun_s
    advice = read_advice(out)
    processors_s = used.ru_utime + used.ru_stime
    peak_gb = used.ru_maxrss * 1024 / 1e9
    return [
        N_ROWS,
        N_COLUMNS,
        len(advice.arms),
        round(taken_s, 1),
        round(processors_s, 1),
        round(peak_gb, 2),
    ]


if __name__ == "__main__":
    command()
