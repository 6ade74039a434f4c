"""Whether `ounce train --advice` keeps what `ounce advise` promised, table by table.

Example: python -m benchmarks.advisor.promises --data tables
"""

import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec
import numpy as np
from click.testing import CliRunner
from ounce_edge.models.measurement import measure_latency
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.advisor.command import command as advise
from ounce_exporters.evaluation.figures import accepted
from ounce_exporters.train_command.command import command as train
from ounce_schemas.advice import Advice, Plan
from ounce_schemas.documents import CARD_FILE, MODEL_FILE, read_advice, read_card
from ounce_schemas.errors import OunceError

from benchmarks.advisor.regret import load_table, tables_option
from benchmarks.results import Cell, Table, publish_option, report

TASK = "table"
MOST_OFF = 0.1
"""Of the latency that was promised."""
_BATCHES = (1, 128)
_TIMED_S = 1.0


class Promise(msgspec.Struct, frozen=True):
    """What was promised of one table, and what came of it."""

    table: str
    same_models: bool
    """Whether the models that were built are those of the plan."""
    in_interval: bool | None
    """Whether the accuracy of a single model lies in the interval that was promised; None: a
    cascade."""
    above_low: bool | None
    """Whether its accuracy on the test rows reaches the interval's lower end."""
    ratios: tuple[float, ...]
    """Median time of a call anew to the one that was promised, of each model and batch size."""


@click.command(help=__doc__)
@tables_option
@click.option(
    "--most-tables", type=click.IntRange(1), default=12, show_default=True, help="Drawn by lot."
)
@click.option("--budget", type=float, default=30.0, show_default=True, help="Of each race.")
@publish_option
def command(data: Path, most_tables: int, budget: float, publish: bool) -> None:
    """Advise, build, and hold one against the other."""
    files = sorted(data.glob("*.parquet"))
    random.Random(0).shuffle(files)
    found = []
    for number, path in enumerate(files[:most_tables], 1):
        found.append(promise(path, budget))
        ratios = ", ".join(f"{ratio:.2f}" for ratio in found[-1].ratios)
        click.echo(f"{number} of {min(most_tables, len(files))}: {path.stem}: {ratios}")
    if not found:
        raise click.ClickException(f"{data}: no .parquet files")
    table = table_of(found)
    report("advisor_promises", {"advisor_promises": table}, publish=publish)


def promise(path: Path, budget: float) -> Promise:
    """Advise on a table, build what was advised, and time it anew."""
    with tempfile.TemporaryDirectory() as name:
        out, models = Path(name) / "advice.json", Path(name) / "models"
        words = ["--data", path, "--target", "target", "--task", TASK, "--out", out]
        _call(advise, *words, "--budget", budget, "--batch", max(_BATCHES))
        advice = read_advice(out)
        plan = advice.decision.plan
        assert plan is not None  # something raced
        _call(train, "--advice", out, "--models", models)
        folder = models / TASK
        built = {card.parent.name for card in folder.glob(f"[!.]*/{CARD_FILE}")}
        in_interval, above_low = _reached(path, plan, folder)
        return Promise(
            table=path.stem,
            same_models=built == set(plan.models),
            in_interval=in_interval,
            above_low=above_low,
            ratios=_ratios(path, advice, plan, folder),
        )


def _call(command: click.Command, *words: object) -> None:
    result = CliRunner().invoke(command, [str(word) for word in words])
    if isinstance(result.exception, OunceError):
        raise click.ClickException(str(result.exception))
    if result.exit_code:
        raise click.ClickException(result.output) from result.exception


def _reached(path: Path, plan: Plan, folder: Path) -> tuple[bool | None, bool | None]:
    if len(plan.models) > 1:
        return None, None
    card = read_card(folder / plan.models[0] / CARD_FILE)
    data, model = load_table(path, 0), folder / plan.models[0] / MODEL_FILE
    answers = OnnxCpuRuntime(threads=1).load(model, model.read_bytes()).run(data.test.inputs)
    right = float(accepted(data.spec, answers, data.test.targets).mean())
    promised = plan.accuracy
    reached = card.validation_accuracy.value
    return promised.low <= reached <= promised.high, right >= promised.low


def _ratios(path: Path, advice: Advice, plan: Plan, folder: Path) -> tuple[float, ...]:
    items = load_table(path, 0).validation.inputs
    promised_ms = {(m.model, m.batch_size): m.p50_ms for m in advice.measured.models}
    ratios = []
    for name in plan.models:
        file = folder / name / MODEL_FILE
        model = OnnxCpuRuntime(threads=1).load(file, file.read_bytes())
        timed = measure_latency(model, items, batch_sizes=_BATCHES, seconds=_TIMED_S)
        ratios += [t.p50_ms / promised_ms[name, t.batch_size] for t in timed]
    return tuple(ratios)


def table_of(found: Sequence[Promise]) -> Table:
    """One row a promise."""
    ratios = np.array([ratio for one in found for ratio in one.ratios])
    near = [bool(abs(ratio - 1) <= MOST_OFF) for ratio in ratios]
    alone = [one for one in found if one.in_interval is not None]
    rows: list[list[Cell]] = [
        ["the models that were advised are built", _share([one.same_models for one in found])],
        [
            "accuracy lies within the interval that was promised, single models",
            _share([bool(one.in_interval) for one in alone]),
        ],
        [
            "accuracy on test rows reaches the lower end of the interval, single models",
            _share([bool(one.above_low) for one in alone]),
        ],
        [
            "median latency is within 10% of what was promised, calls of 1 and of 128",
            f"{_share(near)}; median {np.median(ratios):.2f} times, from {ratios.min():.2f} to "
            f"{ratios.max():.2f}",
        ],
    ]
    return Table(columns=["promise", "kept"], rows=rows, note=f"{len(found)} tables.")


def _share(kept: Sequence[bool]) -> str:
    return f"{int(np.sum(kept))} of {len(kept)}"


if __name__ == "__main__":
    command()
