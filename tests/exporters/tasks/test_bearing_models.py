"""Features and networks of the bearing task answer the same natively and as ONNX graphs."""

from dataclasses import replace

import numpy as np
import onnxruntime as ort
import pytest
import torch
from ounce_exporters.export.graphs import UNCALIBRATED, check_signature
from ounce_exporters.tasks.bearing import task
from ounce_exporters.tasks.bearing.augmentation import roll
from ounce_exporters.tasks.bearing.features import ENVELOPE_RATES_HZ, FEATURES, VibrationFeatures
from ounce_exporters.tasks.bearing.geometry import SKF_6205
from ounce_exporters.tasks.bearing.networks import Cnn1d, DeepCnn1d, Gru, ResidualCnn1d
from ounce_exporters.tasks.bearing.simulation import OUTER_RACE, Conditions, simulate
from ounce_exporters.training.featured import extraction_graph
from ounce_exporters.training.neural import NeuralModel, Training, run, train
from ounce_schemas.task import TensorSpec

TENSOR = task.SPEC.inputs[0]


@pytest.fixture(scope="module")
def data():
    patch = pytest.MonkeyPatch()
    patch.setattr(task, "N_WINDOWS", 1_200)
    try:
        return task.load(seed=5)
    finally:
        patch.undo()


def answer(graph, windows):
    session = ort.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"input": windows})[0]


def test_splits_are_disjoint_stratified_and_fixed_by_the_seed(data, monkeypatch):
    splits = (data.train, data.validation, data.test)
    windows = [w.tobytes() for split in splits for w in split.inputs["input"]]
    assert len(set(windows)) == len(windows) == 1_200
    for split in splits:
        counts = np.bincount(split.targets, minlength=4)
        assert counts.max() - counts.min() <= 1
    monkeypatch.setattr(task, "N_WINDOWS", 1_200)
    again = task.load(seed=5)
    assert again.sha256 == data.sha256
    np.testing.assert_array_equal(again.test.inputs["input"], data.test.inputs["input"])
    assert task.load(seed=6).sha256 != data.sha256


def test_the_shipped_test_split_resolves_half_a_point():
    assert task.N_WINDOWS // 4 >= 10_000


def test_features_are_the_same_inside_a_graph(data):
    windows = data.validation.inputs["input"]
    extractor = VibrationFeatures().eval()
    native = run(extractor, windows)
    between = TensorSpec(name="features", datatype="FP32", shape=(len(FEATURES),))
    graph = extraction_graph(extractor, TENSOR, between)
    assert [output.name for output in graph.graph.output] == [between.name]
    assert native.shape == (len(windows), len(FEATURES))
    np.testing.assert_allclose(answer(graph, windows), native, atol=1e-4)


def test_features_ignore_the_gain(data):
    windows = data.validation.inputs["input"][:50]
    extractor = VibrationFeatures()
    np.testing.assert_allclose(run(extractor, windows * 8), run(extractor, windows), atol=1e-3)


def test_a_silent_sensor_gives_finite_features():
    assert np.isfinite(run(VibrationFeatures(), np.zeros((2, 1_024), np.float32))).all()


def test_the_envelope_features_show_the_rate_of_an_outer_race_fault():
    rng = np.random.default_rng(2)
    drawn = Conditions.draw(np.full(100, OUTER_RACE), rng)
    conditions = replace(drawn, fault_snr_db=np.full(100, 15, np.float32))
    features = run(VibrationFeatures(), simulate(conditions, rng))
    first = FEATURES.index(f"envelope_mean_{ENVELOPE_RATES_HZ[0]}_hz")
    spectrum = features[:, first : first + len(ENVELOPE_RATES_HZ)]
    rates_hz = np.array(ENVELOPE_RATES_HZ)
    # Above twice the shaft's own frequency; below the fault's second harmonic.
    orders = rates_hz / conditions.shaft_hz[:, None]
    peak_hz = rates_hz[np.where((orders > 2) & (orders < 6), spectrum, -np.inf).argmax(axis=1)]
    expected_hz = SKF_6205.outer_race_order * conditions.shaft_hz
    assert np.mean(np.abs(peak_hz - expected_hz) <= 10) >= 0.9


@pytest.mark.parametrize("make", [Cnn1d, DeepCnn1d, Gru, ResidualCnn1d])
def test_a_network_answers_the_same_as_a_graph_at_any_batch_size(make, data):
    torch.manual_seed(0)
    windows = data.validation.inputs["input"]
    model = NeuralModel(make().eval(), TENSOR)
    graph = check_signature_of(model)
    for n in (1, 2, 7, 100):
        np.testing.assert_allclose(
            answer(graph, windows[:n]), model.predict({"input": windows[:n]}), atol=1e-5
        )


def check_signature_of(model):
    """The model's graph with the batch dimension declared, as the exporter writes it."""
    graph = model.to_onnx()
    assert [output.name for output in graph.graph.output] == [UNCALIBRATED]
    return check_signature(graph, task.SPEC)


def test_networks_ignore_the_gain(data):
    windows = data.validation.inputs["input"][:20]
    network = Cnn1d().eval()
    np.testing.assert_allclose(run(network, windows * 8), run(network, windows), atol=1e-3)


@pytest.mark.parametrize("name", ["decision-tree", "logistic-regression", "gradient-boosting"])
def test_a_classical_recipe_learns_and_exports_with_its_features(name, data):
    recipe = next(recipe for recipe in task.recipes(data) if recipe.name == name)
    done = []
    model = recipe.fit(data, 0, done.append)
    assert done == sorted(done)
    assert done[-1] == 1.0
    check_model(model, data)


def test_rolling_keeps_every_window_but_for_where_it_starts(data):
    windows = torch.from_numpy(data.train.inputs["input"][:5])
    rolled = roll(windows, torch.Generator().manual_seed(0))
    spectra = [torch.fft.rfft(signal).abs() for signal in (windows, rolled)]
    assert (windows != rolled).any(dim=1).all()
    torch.testing.assert_close(*spectra, rtol=1e-3, atol=1e-3)


def test_the_cnn_learns_and_exports(data):
    windows, targets = data.train.inputs["input"], data.train.targets
    training = Training(epochs=12, learning_rate=8e-3, batch_size=32, averaging=0.5)
    network = train(Cnn1d, windows, targets, training, 0, lambda _: None)
    check_model(NeuralModel(network, TENSOR), data)


def check_model(model, data):
    native = model.predict(data.test.inputs)
    chance = 1 / len(data.spec.labels)
    assert np.mean(native.argmax(axis=1) == data.test.targets) > 1.5 * chance
    exported = answer(check_signature_of(model), data.test.inputs["input"])
    close = np.abs(exported - native).max(axis=1) < 1e-3
    assert close.mean() > 0.99
    assert model.parameters > 0


def test_the_ladder_has_both_families_and_unique_names(data):
    recipes = task.recipes(data)
    assert len({recipe.name for recipe in recipes}) == len(recipes)
    assert {recipe.family for recipe in recipes} == {"classical", "neural"}


def test_a_quick_ladder_is_part_of_the_whole_one(data):
    """Of less data and fewer epochs, with the lightest network and the heaviest."""
    whole = [recipe.name for recipe in task.recipes(data)]
    quick = [recipe.name for recipe in task.recipes(data, quick=True)]
    assert set(quick) < set(whole)
    assert (quick[-1], whole[-1]) == ("residual-cnn-1d",) * 2
    assert "cnn-1d" in quick
    assert all(task.QUICK_EPOCHS[name] < task.EPOCHS[name] for name in task.QUICK_EPOCHS)
    few = task.load(seed=5, quick=True)
    assert len(few.train) + len(few.validation) + len(few.test) == task.QUICK_WINDOWS
