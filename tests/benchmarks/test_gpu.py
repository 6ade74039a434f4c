"""Calls on the GPU are held against the CPU and against the GPU's own clock. The GPU is a fake."""

from typing import Any

import pytest
from click.testing import CliRunner
from ounce_edge.models.checks import sample_inputs
from ounce_edge.models.runtimes.fake import FakeModel
from ounce_schemas.card import LatencyAtBatch
from ounce_schemas.errors import RuntimeAbsentError

from benchmarks import gpu
from tests.support.edge.ladders import DIGITS

CALL_MS = {"cpu": 8.0, "gpu": 2.0, "cuda": 3.0}


class Named(FakeModel):
    """Says what it is."""

    def __init__(self, name: str) -> None:
        super().__init__(DIGITS)
        self.name = name

    def gpu_times_ms(self, n_items: int, n_calls: int) -> list[float]:
        return [1.5] * n_calls


def measured(model: Named, sample: Any, batch_sizes: list[int], seconds: float) -> Any:
    [n] = batch_sizes
    return [LatencyAtBatch(batch_size=n, p50_ms=n * CALL_MS[model.name], p99_ms=1e3)]


def test_a_row_has_each_ones_time_and_the_share_of_the_ceiling(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gpu, "measure_latency", measured)
    monkeypatch.setattr(gpu, "SIZES", (1, 2))
    models: list[Any] = [Named(name) for name in CALL_MS]
    sample: Any = sample_inputs(DIGITS.inputs, 2)
    found = list(gpu.rows("digits/a", sample, *models))
    assert found == [
        ["digits/a", 1, 8.0, 2.0, 1.5, "75%", 3.0],
        ["digits/a", 2, 16.0, 4.0, 1.5, "38%", 6.0],
    ]
    assert {len(row) for row in found} == {len(gpu.COLUMNS)}
    alone = list(gpu.rows("digits/a", sample, *models[:2], None))
    assert [row[-1] for row in alone] == [None, None]


def test_a_machine_without_a_gpu_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> None:
        raise RuntimeAbsentError("no such GPU")

    monkeypatch.setattr(gpu, "find_tensorrt", absent)
    monkeypatch.setattr(gpu, "find_cuda", lambda: None)
    result = CliRunner().invoke(gpu.main, [])
    assert (result.exit_code, result.stderr) == (1, "Error: no such GPU\n")
