"""What a fleet sends, and what it reads of a test split."""

from itertools import islice
from pathlib import Path

import msgspec
import numpy as np
import pytest
from ounce_schemas.documents import TASK_FILE, TEST_SPLIT_FILE
from ounce_schemas.errors import ArtifactError
from ounce_schemas.prediction import NumberOutput
from ounce_schemas.request import FloatTensor, Request, TextTensor
from ounce_schemas.task import TaskSpec, TensorSpec
from ounce_services.devices.fleet import FleetShape, OutgoingRequest, draw_requests
from ounce_services.devices.samples import Samples, read_samples
from ounce_services.devices.targets import Targets

from tests.services.fake_worker import make_prediction

MIX = (Targets(50, 0.9, 1), Targets(None, 0.5, 1), Targets(None, None, 1))


def draw(
    samples: Samples, n: int, *, json_share: float = 0.5, seed: int = 1, run: str = "r"
) -> list[OutgoingRequest]:
    shape = FleetShape(n_devices=5, json_share=json_share, traced_share=0.5, mix=MIX)
    return list(islice(draw_requests(samples, shape, seed=seed, run=run), n))


def test_both_bodies_decode_to_the_input(samples: Samples) -> None:
    n_json = 0
    for request in draw(samples, 500):
        headers = dict(request.headers)
        expected = samples.inputs["input"][request.item]
        if headers.get("content-type") == b"application/json":
            n_json += 1
            body = msgspec.json.decode(request.value, type=Request)
            (tensor,) = body.inputs
            assert isinstance(tensor, FloatTensor)
            assert tensor.shape == [1, 4]
            assert np.array_equal(np.array(tensor.data, np.float32), expected)
            assert body.id == request.id
        else:
            assert np.array_equal(np.frombuffer(request.value, "<f4"), expected)
    assert 150 < n_json < 350


def test_targets_ids_and_traces_travel(samples: Samples) -> None:
    requests = draw(samples, 600)
    seen = set()
    for request in requests:
        headers = dict(request.headers)
        if request.id is None:
            assert set(headers) <= {"content-type"}
            seen.add((None, None))
            continue
        assert headers["ce_id"].decode() == request.id
        assert headers["ce_source"].decode().endswith(request.key.decode())
        assert headers["ce_specversion"] == b"1.0"
        if "traceparent" in headers:
            version, trace, span, flags = headers["traceparent"].decode().split("-")
            assert (version, len(trace), len(span), flags) == ("00", 32, 16, "01")
        if headers["content-type"] == b"application/json":
            parameters = msgspec.json.decode(request.value, type=Request).parameters
            assert parameters is not None
            seen.add((parameters.max_latency_ms, parameters.min_accuracy))
        else:
            latency = headers.get("ce_maxlatencyms")
            seen.add((latency and float(latency), float(headers["ce_minaccuracy"])))
    assert seen == {(50, 0.9), (None, 0.5), (None, None)}
    ids = [request.id for request in requests if request.id]
    assert len(set(ids)) == len(ids)
    assert 0 < sum("traceparent" in dict(r.headers) for r in requests) < len(ids)
    assert len({request.key for request in requests}) == 5


def test_same_seed_same_requests(samples: Samples) -> None:
    assert draw(samples, 300) == draw(samples, 300)
    assert draw(samples, 300) != draw(samples, 300, seed=2)
    assert draw(samples, 300)[0].id != draw(samples, 300, run="q")[0].id


def test_weights_are_shares(samples: Samples) -> None:
    n_bare = sum(request.id is None for request in draw(samples, 3000))
    assert n_bare / 3000 == pytest.approx(1 / 3, abs=0.05)


def write_table(folder: Path) -> Path:
    """A regression task with numbers that may be missing, and texts."""
    (folder / "table").mkdir()
    spec = TaskSpec(
        name="table",
        kind="regression",
        description="a table",
        inputs=(
            TensorSpec(name="numbers", datatype="FP32", shape=(2,), allow_missing=True),
            TensorSpec(name="texts", datatype="BYTES", shape=(1,)),
        ),
        tolerance=0.5,
        interval_coverage=0.9,
    )
    (folder / "table" / TASK_FILE).write_text(spec.model_dump_json())
    np.savez(
        folder / "table" / TEST_SPLIT_FILE,
        numbers=np.array([[1, np.nan]], np.float32),
        texts=np.array([["a"]]),
        targets=np.array([3], np.float32),
    )
    return folder


def test_a_table_goes_as_json_with_nulls_and_texts(tmp_path: Path) -> None:
    samples = read_samples(write_table(tmp_path), "table")
    (request,) = draw(samples, 1, json_share=0)
    numbers, texts = msgspec.json.decode(request.value, type=Request).inputs
    assert isinstance(numbers, FloatTensor)
    assert isinstance(texts, TextTensor)
    assert (numbers.data, texts.data) == ([1.0, None], ["a"])


def test_acceptance_rules(samples: Samples, tmp_path: Path) -> None:
    right = samples.spec.labels[int(samples.targets[0])]
    assert samples.is_acceptable(make_prediction("x", label=right), 0)
    assert not samples.is_acceptable(make_prediction("x", label="other"), 0)
    table = read_samples(write_table(tmp_path), "table")
    for value, acceptable in [(3.5, True), (2.4, False)]:
        prediction = make_prediction("x")
        prediction.outputs = [NumberOutput("value", [1], [value])]
        assert table.is_acceptable(prediction, 0) is acceptable
    assert not table.is_acceptable(make_prediction("x"), 0)


def test_absent_task_says_how_to_make_it(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"task\.json is not there.*`ounce train toy"):
        read_samples(tmp_path, "toy")


def test_absent_test_split_is_named(models: Path) -> None:
    (models / "toy" / TEST_SPLIT_FILE).unlink()
    with pytest.raises(ArtifactError, match=r"test-split\.npz is not there.*`ounce train toy"):
        read_samples(models, "toy")


@pytest.mark.parametrize(
    ("arrays", "error"),
    [
        (None, "can't be read as a test split"),
        ({"input": np.zeros((2, 4))}, r"holds \['input'\], the task needs"),
        ({"input": np.zeros((2, 3)), "targets": np.zeros(2, int)}, r"'input' has shape \(2, 3\)"),
        ({"input": np.zeros((0, 4)), "targets": np.zeros(0, int)}, r"targets have shape \(0,\)"),
        ({"input": np.zeros((1, 4)), "targets": np.array([2])}, "label indices 0 to 1"),
    ],
)
def test_damaged_test_split_is_named(
    models: Path, arrays: dict[str, np.ndarray] | None, error: str
) -> None:
    path = models / "toy" / TEST_SPLIT_FILE
    if arrays is None:
        path.write_bytes(b"PK no zip")
    else:
        np.savez(path, **arrays)
    with pytest.raises(ArtifactError, match=error):
        read_samples(models, "toy")
