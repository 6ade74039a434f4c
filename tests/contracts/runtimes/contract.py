"""What every runtime keeps. A suite inherits it and says how its models are made."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ounce_edge.models.checks import sample_inputs
from ounce_edge.models.runtimes.base import Inputs, LoadedModel, Runtime, TensorSignature
from ounce_schemas.errors import ArtifactError
from ounce_schemas.task import TaskSpec

from tests.support.edge.ladders import DIGITS, NUMBERS

NOWHERE = Path("/nowhere/at-all")
SHIFT = np.array([0.0, 1.0, 2.0], np.float32)


def classify(inputs: Inputs) -> Any:
    """What the classifier answers: shares of the first three numbers, shifted apart."""
    shifted = inputs["input"][:, :3] / 16 + SHIFT
    return (shifted / shifted.sum(axis=1, keepdims=True)).astype(np.float32)


def estimate(inputs: Inputs) -> Any:
    """What the regression answers: the first number, and an interval of 1 or 2 by the text."""
    value = np.nan_to_num(inputs["input"][:, :1])
    width = np.where(inputs["categories"] == "wide", 2.0, 1.0)
    return np.concatenate([value, value - width, value + width], axis=1).astype(np.float32)


ANSWERS = {"digits": classify, "numbers": estimate}
TASKS = [DIGITS, NUMBERS]


def some_inputs(task: TaskSpec, n: int) -> dict[str, Any]:
    inputs = dict(sample_inputs(task.inputs, n))
    if "categories" in inputs:
        inputs["categories"] = np.array([["wide"], ["narrow"], [""]], dtype=object)[
            np.arange(n) % 3
        ]
        inputs["input"][::5, 1] = np.nan
    return inputs


class RuntimeContract(ABC):
    """Tests of a runtime."""

    tasks: Sequence[TaskSpec] = TASKS
    """That it can run."""

    @abstractmethod
    def runtime(self) -> Runtime:
        """A fresh one, which can load what `content` gives."""

    @abstractmethod
    def content(self, task: TaskSpec) -> bytes:
        """A model of the task that answers as `ANSWERS` says."""

    def load(self, task: TaskSpec) -> LoadedModel:
        return self.runtime().load(NOWHERE / task.name / "model.onnx", self.content(task))

    def test_it_has_a_name_with_a_version_and_threads(self) -> None:
        runtime = self.runtime()
        name, version = runtime.name.split(" ")
        assert name
        assert version[0].isdigit()
        assert runtime.threads >= 1

    def test_a_model_declares_what_its_task_says(self, task: TaskSpec) -> None:
        model = self.load(task)  # of bytes alone: there is no such file
        assert dict(model.inputs) == {
            t.name: TensorSignature(t.datatype, (None, *t.shape)) for t in task.inputs
        }
        assert dict(model.outputs) == {
            task.output.name: TensorSignature("FP32", (None, *task.output.shape))
        }

    @pytest.mark.parametrize("n", [1, 2, 7, 256, 257, 1000])
    def test_a_batch_of_any_size_is_answered_row_by_row(self, task: TaskSpec, n: int) -> None:
        inputs = some_inputs(task, n)
        result = self.load(task).run(inputs)
        assert (result.shape, result.dtype) == ((n, task.output.size), np.float32)
        np.testing.assert_allclose(result, ANSWERS[task.name](inputs), rtol=1e-5)

    def test_inputs_and_earlier_results_are_left_alone(self, task: TaskSpec) -> None:
        model, inputs = self.load(task), some_inputs(task, 5)
        before = {name: array.copy() for name, array in inputs.items()}
        first = model.run(inputs)
        kept = first.copy()
        model.run(some_inputs(task, 3))
        first_again = model.run(inputs)
        np.testing.assert_array_equal(first, kept)
        np.testing.assert_array_equal(first_again, kept)
        for name, array in before.items():
            np.testing.assert_array_equal(inputs[name], array)
        first_again[:] = 0  # the caller's own
        np.testing.assert_array_equal(model.run(inputs), kept)

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda inputs: {},
            lambda inputs: {"another": inputs["input"]},
            lambda inputs: {"input": inputs["input"][:, :3]},
            lambda inputs: {"input": inputs["input"][:, :, None]},
            lambda inputs: {"input": inputs["input"].astype(np.float64)},
            lambda inputs: {"input": inputs["input"].astype(str).astype(object)},
        ],
    )
    def test_wrong_inputs_are_an_error_and_right_ones_are_answered_after_it(
        self, wrong: Any
    ) -> None:
        model, inputs = self.load(DIGITS), some_inputs(DIGITS, 2)
        with pytest.raises(Exception, match=r"\w"):
            model.run(wrong(inputs))
        np.testing.assert_allclose(model.run(inputs), classify(inputs), rtol=1e-5)

    def test_several_threads_get_each_their_own_answers(self) -> None:
        model = self.load(DIGITS)
        rng = np.random.default_rng(0)
        batches = [
            {"input": rng.uniform(0, 16, (int(n), 4)).astype(np.float32)}
            for n in rng.integers(1, 300, 80)
        ]
        with ThreadPoolExecutor(4) as pool:
            for inputs, result in zip(batches, pool.map(model.run, batches), strict=True):
                np.testing.assert_allclose(result, classify(inputs), rtol=1e-5)

    def test_models_of_one_runtime_are_independent_and_outlive_it(self) -> None:
        runtime, last = self.runtime(), self.tasks[-1]
        first, other = (
            runtime.load(NOWHERE / task.name / "model.onnx", self.content(task))
            for task in (self.tasks[0], last)
        )
        del runtime, first
        inputs = some_inputs(last, 4)
        np.testing.assert_allclose(other.run(inputs), ANSWERS[last.name](inputs), rtol=1e-5)

    def test_a_model_that_is_unloaded_is_an_error_to_run(self) -> None:
        model, inputs = self.load(DIGITS), some_inputs(DIGITS, 2)
        model.run(inputs)
        for _ in range(2):
            model.unload()
        with pytest.raises(RuntimeError, match="unloaded"):
            model.run(inputs)

    @pytest.mark.parametrize("content", [b"", b"not a model", b"\x00" * 1000])
    def test_what_is_no_model_is_refused_by_the_name_of_its_file(self, content: bytes) -> None:
        with pytest.raises(ArtifactError, match=r"^/nowhere/at-all/other/model.onnx: \w"):
            self.runtime().load(NOWHERE / "other" / "model.onnx", content)
