"""Strange items and clusters of texts, images and sequences: learned, exported, and answered by a
worker's pipeline."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import pandas as pd
import pytest
from click.testing import CliRunner
from ounce_edge.worker.local import LocalWorker
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.train_command.command import command
from ounce_exporters.training.byte_ngrams import encode
from ounce_schemas.documents import read_card
from ounce_schemas.errors import DataError

from tests.exporters.tasks.image.pictures import bar, file_of

WORDS = {
    "heat": ("boiler", "heat", "warm", "degrees", "radiator", "thermostat", "room", "winter"),
    "bill": ("invoice", "payment", "amount", "due", "card", "charge", "refund", "account"),
    "door": ("key", "lock", "entrance", "gate", "hinge", "handle", "open", "shut"),
}


def texts(topics: Sequence[str], n: int, seed: int = 0) -> pd.DataFrame:
    """Sentences of ten words, each of one topic."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(topics, n)
    said = [" ".join(rng.choice(WORDS[kind], 10)) for kind in kinds]
    return pd.DataFrame({"text": said, "price": rng.normal(5, 1, n), "kind": kinds})


def waves(n_units: int, n: int = 40) -> pd.DataFrame:
    """Units that swing slowly, and units that swing fast and high."""
    rng = np.random.default_rng(0)
    parts = []
    for unit in range(n_units):
        fast = unit % 2
        at = np.arange(n)
        swing = (1 + 3 * fast) * np.sin((0.4 + fast) * at + rng.uniform(0, 6))
        values = {"unit": f"u{unit}", "at": at, "x": swing + rng.normal(0, 0.1, n)}
        parts.append(pd.DataFrame({**values, "speed": "fast" if fast else "slow"}))
    return pd.concat(parts, ignore_index=True)


def pictures(folder: Path, labels: Sequence[str], n: int, *, flat: bool = False) -> Path:
    rng = np.random.default_rng(0)
    for label in labels:
        (folder / ("" if flat else label)).mkdir(parents=True, exist_ok=True)
        for i in range(n):
            name = f"{label}{i}.png" if flat else f"{label}/{i}.png"
            (folder / name).write_bytes(file_of(bar(label, rng)))
    return folder


def train(*arguments: object) -> str:
    result = CliRunner().invoke(command, list(map(str, arguments)), standalone_mode=False)
    assert result.exit_code == 0, result.output
    assert result.exception is None, result.exception
    return result.output


def answers(models: Path, task: str, bodies: Sequence[bytes]) -> list[dict[str, Any]]:
    """What a worker answers, each output by name."""
    headers = (("ce_maxlatencyms", b"60000"),)
    found = LocalWorker(models, task).answer([(body, headers) for body in bodies])
    assert len(found) == len(bodies)
    read = [json.loads(one.value or b"") for one in found]
    return [
        {**{o["name"]: o["data"][0] for o in one["outputs"]}, "model": one["model_name"]}
        for one in read
    ]


def text_body(text: str, price: float) -> bytes:
    return json.dumps({"text": text, "price": price}).encode()


def test_strange_texts_are_flagged_by_a_worker(tmp_path: Path) -> None:
    table = texts(["heat", "bill"], 320)
    table.drop(columns="kind").to_csv(tmp_path / "mail.csv", index=False)
    train("--data", tmp_path / "mail.csv", "--kind", "anomaly", "--false-alarms", 0.05,
          "--columns", "text=text", "--models", tmp_path, "--only", "mahalanobis")  # fmt: skip
    card = read_card(tmp_path / "mail" / "mahalanobis" / "card.json")
    assert card.parity.agreement == 1.0
    assert card.calibration.false_alarms == 0.05
    assert "topics of hashed byte n-grams" in card.algorithm
    usual = texts(["heat", "bill"], 60, seed=9)
    other = texts(["door"], 20, seed=9)
    bodies = [text_body(t, p) for t, p in zip(usual["text"], usual["price"], strict=True)]
    strange = [text_body(t, 5.0) for t in [*other["text"], "Ω≈ç√∫˜µ≤≥÷ åß∂ƒ©", "x" * 5000]]
    strange.append(text_body(usual["text"][0], 60.0))  # what stands beside counts, too
    found = answers(tmp_path, "mail", [*bodies, *strange])
    flags = [one["label"] == "anomaly" for one in found]
    assert sum(flags[: len(bodies)]) <= 6
    assert all(flags[len(bodies) :])


def test_a_forest_of_texts_answers_as_its_graph(tmp_path: Path) -> None:
    """Trees read what is computed before them without a scale, so no threshold is crossed."""
    texts(["heat", "bill"], 200).to_csv(tmp_path / "t.csv", index=False)
    options = TableOptions(
        kind="anomaly", false_alarms=0.05, columns={"text": "text"}, without=frozenset({"kind"})
    )
    data = load(tmp_path / "t.csv", None, "t", options, 0, lambda line: None)
    made = {recipe.name: recipe for recipe in recipes(data)}
    assert list(made) == ["mahalanobis", "isolation-forest", "autoencoder"]
    model = made["isolation-forest"].fit(data, 0, lambda share: None)
    session = ort.InferenceSession(model.to_onnx().SerializeToString())
    rows = data.test.inputs
    fed = {"input": rows["input"], "text": encode(data.spec, rows)[:, None]}
    assert session.run(None, fed)[0] == pytest.approx(model.predict(rows), abs=1e-5)


def test_strange_images_are_flagged_by_a_worker(tmp_path: Path) -> None:
    folder = pictures(tmp_path / "parts", ["lying", "upright"], 120)
    (folder / "upright").rename(folder / "broken")
    for path in sorted((folder / "broken").iterdir())[40:]:
        path.unlink()
    said = train("--data", folder, "--kind", "anomaly", "--target", "class",
                 "--models", tmp_path, "--false-alarms", 0.05, "--only", "mahalanobis")  # fmt: skip
    assert "'lying' of 'class' is normal; 40 rows of 'broken' are anomalies" in said
    card = read_card(tmp_path / "parts" / "mahalanobis" / "card.json")
    assert card.parity.agreement == 1.0
    assert card.overall is not None
    assert (card.overall.roc_auc or 0) > 0.9
    rng = np.random.default_rng(5)
    bodies = [file_of(bar("lying", rng)) for _ in range(30)]
    strange = [file_of(bar("upright", rng)) for _ in range(30)]
    flags = [one["label"] == "anomaly" for one in answers(tmp_path, "parts", bodies + strange)]
    assert sum(flags[:30]) <= 6
    assert sum(flags[30:]) >= 24


@pytest.mark.parametrize("kind", ["texts", "images", "sequences"])
def test_clusters_of_every_input_are_served(kind: str, tmp_path: Path) -> None:
    options: tuple[object, ...] = ()
    if kind == "texts":
        texts(["heat", "bill"], 300)[["text", "kind"]].to_csv(tmp_path / "t.csv", index=False)
        options = ("--target", "kind", "--columns", "text=text")
        bodies = [json.dumps({"text": " ".join(WORDS[k])}).encode() for k in ("heat", "bill")]
    elif kind == "images":
        rng = np.random.default_rng(5)
        folder = pictures(tmp_path / "t", ["blank"], 60, flat=True)
        for i in range(40):
            (folder / f"bright{i}.png").write_bytes(file_of(255 - bar("blank", rng)))
        bodies = [file_of(bar("blank", rng)), file_of(255 - bar("blank", rng))]
    else:
        waves(24).to_csv(tmp_path / "t.csv", index=False)
        options = ("--target", "speed", "--unit", "unit", "--time", "at", "--window", 12)
        at = np.arange(12.0)
        swings = (np.sin(0.4 * at), 4 * np.sin(1.4 * at))
        bodies = [json.dumps({"sequence": swing[:, None].tolist()}).encode() for swing in swings]
    data = tmp_path / ("t" if kind == "images" else "t.csv")
    models = tmp_path / "models"
    said = train("--data", data, "--kind", "clusters", "--clusters", 2, *options,
                 "--models", models, "--only", "k-means")  # fmt: skip
    assert "k-means assigns 2 clusters" in said
    if options:
        assert "agree with an adjusted Rand index of 0.9" in said or "index of 1.00" in said
    card = read_card(models / "t" / "k-means" / "card.json")
    assert card.test_accuracy.value > 0.97  # it is the reference
    assert card.parity.agreement == 1.0
    found = answers(models, "t", bodies)
    assert {one["label"] for one in found} == {"cluster-1", "cluster-2"}
    assert all(0 < one["distance"] < 1.5 for one in found)


def test_a_network_learns_clusters_of_texts(tmp_path: Path) -> None:
    texts(["heat", "bill", "door"], 200).to_csv(tmp_path / "t.csv", index=False)
    options = TableOptions(
        kind="clusters", clusters=3, columns={"text": "text"}, without=frozenset({"kind", "price"})
    )
    data = load(tmp_path / "t.csv", None, "t", options, 0, lambda line: None)
    made = {recipe.name: recipe for recipe in recipes(data)}
    assert list(made) == ["k-means", "diagonal-mixture", "gaussian-mixture", "cluster-network"]
    model = made["k-means"].fit(data, 0, lambda share: None)
    answers = model.predict({"text": np.array([[""], ["heat"]], dtype=object)})
    assert np.isfinite(answers).all()


def test_networks_of_classes_start_no_model_of_clusters(tmp_path: Path) -> None:
    result = CliRunner().invoke(
        command, ["--data", "t.csv", "--kind", "clusters", "--from", "models/a/cnn"]
    )
    assert "--from is for classes and quantities: leave out --kind clusters" in result.output
    pictures(tmp_path / "t", ["blank"], 60)
    with pytest.raises(DataError, match="the class of an image is the folder that it is in"):
        load(tmp_path / "t", "kind", "t", TableOptions(kind="anomaly"), 0, lambda line: None)
