"""More items to judge by than a task ships with: bearing's simulator makes as many as one likes.

Two plans that disagree in one answer of a hundred differ by an amount whose standard error is 0.1
points on the 10,000 windows of the test split, half of what counts as equal. Here it is 0.02.
"""

from pathlib import Path

import numpy as np
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.tasks.bearing.simulation import simulate_evenly

from benchmarks.routing.tables import Answers, Table

TASK = "bearing"
N_WINDOWS = 200_000
SEED = 1_000_003
"""No ladder is trained with it, so no model has seen these windows."""
_PIECE = 5_000
"""Windows in memory at once: 20 MB."""


def answer_fresh_windows(models_dir: Path, table: Table) -> Answers:
    """Let every model of the table answer windows that none of them learned from."""
    ladder = load_ladder(models_dir, TASK, OnnxCpuRuntime(1))
    loaded = {served.card.model: served.loaded for served in ladder.models}
    rng = np.random.default_rng(SEED)
    pieces = []
    for _ in range(N_WINDOWS // _PIECE):
        windows, targets = simulate_evenly(_PIECE, rng)
        of_models = [loaded[model].run({"input": windows}) for model in table.models]
        pieces.append(Answers.of(np.stack(of_models), targets))
    return Answers(
        np.concatenate([piece.right for piece in pieces], axis=1),
        np.concatenate([piece.confidence for piece in pieces], axis=1),
    )
