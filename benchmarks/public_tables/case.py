"""One table with one seed: a ladder as `ounce train` makes it, and what it is held against."""

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from click.testing import CliRunner
from numpy.typing import NDArray
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.cascades.evidence import answer, gather
from ounce_exporters.evaluation.figures import accepted
from ounce_exporters.export.answers import read_answers
from ounce_exporters.ladder.building import IncompleteLadderError
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.task import load
from ounce_exporters.train_command.command import command
from ounce_schemas.card import ModelCard
from ounce_schemas.documents import CARD_FILE, MODEL_FILE, PLANS_FILE, read_card, read_plans
from ounce_schemas.errors import OunceError

from benchmarks.public_tables.opponents import fit_opponents, score
from benchmarks.public_tables.sources import Source
from benchmarks.public_tables.timing import compare

TASK = "public"
WITHIN = 0.01
"""The lightest model that is held against boosting may be so much less accurate than the best."""
BATCH = 32


class Promise(msgspec.Struct, forbid_unknown_fields=True):
    """What a plan promises, and what came of it on the test rows."""

    plan: str
    low: float
    """Lower bound of its accuracy."""
    judged: int
    """Validation items that it rests on."""
    right: int
    n: int


class Case(msgspec.Struct, forbid_unknown_fields=True):
    """What was seen."""

    table: str
    kind: str
    seed: int
    exit_code: int
    output: str
    """What is said where training fails; otherwise empty."""
    train_s: float
    models: int = 0
    asked: int = 0
    """Models that the ladder should have."""
    n_learn: int = 0
    n_test: int = 0
    best: str = ""
    best_score: float = 0.0
    """Accuracy, or R2, of the model with the best validation figure, on the test rows."""
    boosting_score: float = 0.0
    forest_score: float = 0.0
    lightest: str = ""
    row_us: float = 0.0
    boosting_row_us: float = 0.0
    alone_us: float = 0.0
    boosting_alone_us: float = 0.0
    boosting_parity: float = 0.0
    """Largest difference of the ladder's boosting from scikit-learn; of a quantity, in standard
    deviations of the target."""
    promises: list[Promise] = []


def run(source: Source, seed: int, models: Path, only: Sequence[str] = ()) -> Case:
    """Train, and compare.

    Args:
        source: the table.
        seed: of splits and models.
        models: folder for the ladder, which is replaced.
        only: models of the ladder; default: all.
    """
    words = ["--data", str(source.path), "--target", source.target, "--task", TASK]
    words += ["--kind", source.kind, "--models", str(models), "--seed", str(seed)]
    words += [word for name in only for word in ("--only", name)]
    start_s = time.monotonic()
    result = CliRunner().invoke(command, words)
    error, code = result.exception, result.exit_code
    if isinstance(error, OunceError):  # the `ounce` command ends with its code
        code = error.exit_code
    case = Case(source.name, source.kind, seed, code, "", round(time.monotonic() - start_s, 1))
    if code != 0:
        case.output = str(error)
        if not isinstance(error, IncompleteLadderError):
            return case
    options = TableOptions(kind=source.kind)
    data = load(source.path, source.target, TASK, options, seed, lambda line: None)
    ladder = Ladder(models / TASK, data)
    _describe(case, ladder, result.output)
    _compare(case, ladder, seed)
    case.promises = ladder.promises()
    return case


class Ladder:
    """A ladder that was written, and its models' answers to the test rows."""

    def __init__(self, folder: Path, data: TaskData) -> None:
        self.data, self.folder = data, folder
        # The tolerance of a quantity is found while training: the task's document has it.
        task = json.loads((folder / "task.json").read_text())
        self.task = data.spec.model_validate(task)
        cards = [read_card(path) for path in sorted(folder.glob(f"[!.]*/{CARD_FILE}"))]
        self.cards = {card.model: card for card in cards}
        runtime = OnnxCpuRuntime(threads=1)
        self.outputs = {
            name: runtime.load(path, path.read_bytes()).run(data.test.inputs)
            for name in self.cards
            for path in [folder / name / MODEL_FILE]
        }

    def validation_score(self, name: str) -> float:
        answers = read_answers(self.folder / name, len(self.data.validation))
        return score(self.task, self._plain(answers), self.data.validation.targets)

    def test_score(self, name: str) -> float:
        return score(self.task, self._plain(self.outputs[name]), self.data.test.targets)

    def card(self, name: str) -> ModelCard:
        return self.cards[name]

    def promises(self) -> list[Promise]:
        """Of every plan: single models and cascades."""
        truth, n = self.data.test.targets, len(self.data.test)
        seen = {
            name: gather(self.task, self.cards[name], outputs, truth)
            for name, outputs in self.outputs.items()
        }
        found = []
        for plan in read_plans(self.folder / PLANS_FILE).plans:
            names = [step.model for step in plan.steps]
            if plan.is_cascade:
                thresholds = [step.threshold for step in plan.steps if step.threshold is not None]
                right = int(answer([seen[name] for name in names], thresholds).right.sum())
            else:
                right = int(accepted(self.task, self.outputs[names[0]], truth).sum())
            promised = plan.accuracy
            found.append(Promise(plan.name, promised.low, promised.n, right, n))
        return found

    def _plain(self, outputs: NDArray[np.float32]) -> NDArray[Any]:
        return outputs.argmax(axis=1) if self.task.kind == "classification" else outputs[:, 0]


def _describe(case: Case, ladder: Ladder, output: str) -> None:
    case.models = len(ladder.cards)
    case.asked = case.models + sum(": failed: " in line for line in output.splitlines())
    case.n_learn = len(ladder.data.train) + (
        len(ladder.data.validation) if ladder.data.folds is None else 0
    )
    case.n_test = len(ladder.data.test)
    boosting = ladder.cards.get("gradient-boosting")
    if boosting is not None:
        scale = 1.0
        if case.kind == "regression":
            scale = float(ladder.data.test.targets.std())
        case.boosting_parity = boosting.parity.largest_difference / scale


def _compare(case: Case, ladder: Ladder, seed: int) -> None:
    scores = {name: ladder.validation_score(name) for name in ladder.cards}
    case.best = max(scores, key=lambda name: scores[name])
    case.best_score = ladder.test_score(case.best)
    opponents = fit_opponents(ladder.data, seed)
    case.boosting_score, case.forest_score = opponents.boosting, opponents.forest
    enough = [name for name in scores if scores[name] >= scores[case.best] - WITHIN]
    case.lightest = min(enough, key=lambda name: _batch_ms(ladder.card(name)))
    content = (ladder.folder / case.lightest / MODEL_FILE).read_bytes()
    theirs = opponents.boosting_onnx, {"input": opponents.test_features}
    inputs = ladder.data.test.inputs
    case.row_us, case.boosting_row_us = compare(content, inputs, *theirs, rows=BATCH)
    case.alone_us, case.boosting_alone_us = compare(content, inputs, *theirs, rows=1)


def _batch_ms(card: ModelCard) -> float:
    return next(b.p50_ms for b in card.latency.batches if b.batch_size == BATCH)
