"""`ounce advise` of texts, images, sequences, strange rows and clusters; on few, small items."""

from pathlib import Path

import numpy as np
import pytest
from ounce_schemas.advice import Advice
from ounce_schemas.documents import read_advice, read_card

from tests.exporters.tasks.image.pictures import write_folders
from tests.exporters.tasks.sequence.waves import wearing, write_ts
from tests.exporters.tasks.table.test_anomalies import pumps
from tests.exporters.tasks.table.test_clusters import customers
from tests.exporters.tasks.table.test_sentences import messages
from tests.support.process.command import Run


def advise(ounce: Run, folder: Path, *arguments: object) -> tuple[Advice, str]:
    """The advice, and what was told."""
    out = folder / "advice.json"
    told = ounce("advise", *arguments, "--out", out)
    assert told.code == 0, told.stderr
    assert "<svg" in out.with_suffix(".html").read_text()
    return read_advice(out), told.stdout


def built(ounce: Run, folder: Path, advice: Advice) -> None:
    """Training builds the plan, as accurate as promised."""
    assert advice.decision.plan is not None
    out = folder / "advice.json"
    trained = ounce("train", "--advice", out, "--models", folder / "models")
    assert trained.code == 0, trained.stderr
    cards = {path.parent.name: read_card(path) for path in folder.glob("models/*/*/card.json")}
    assert sorted(cards) == sorted(advice.decision.plan.models)
    last = cards[advice.decision.plan.models[-1]].validation_accuracy
    arm = next(a for a in advice.arms if a.model == advice.decision.plan.models[-1])
    assert arm.accuracy is not None
    assert arm.accuracy.low <= last.value <= arm.accuracy.high


def topics(advice: Advice) -> dict[str, str]:
    return {reason.topic: reason.text for reason in advice.reasons}


def test_texts(ounce: Run, tmp_path: Path) -> None:
    messages(100).to_csv(tmp_path / "texts.csv", index=False)

    advice, told = advise(
        ounce, tmp_path, "--data", tmp_path / "texts.csv", "--target", "kind", "--budget", "3"
    )

    assert advice.look.structure == "text"
    assert {arm.family for arm in advice.arms} == {"classical", "neural"}
    assert "Joulin" in told
    assert "texts, of which models read" in topics(advice)["structure"]
    built(ounce, tmp_path, advice)


def test_images_in_folders(ounce: Run, tmp_path: Path) -> None:
    write_folders(tmp_path / "bars", 24)

    advice, told = advise(ounce, tmp_path, "--data", tmp_path / "bars", "--budget", "2")

    assert advice.look.structure == "image"
    assert advice.look.shape == (18, 18, 1)
    assert "residual-cnn" in advice.budget.left_out
    assert "residual-cnn: --budget 2 is too small for them" in " ".join(told.split())
    assert "images of 18 x 18 pixels, grey" in topics(advice)["structure"]
    assert "convolutions are expected ahead" in topics(advice)["prior"]
    built(ounce, tmp_path, advice)


def test_sequences_of_units_and_of_series(ounce: Run, tmp_path: Path) -> None:
    write_ts(tmp_path / "waves.ts", 40)
    wearing(8).to_csv(tmp_path / "wear.csv", index=False)

    series, _ = advise(ounce, tmp_path, "--data", tmp_path / "waves.ts", "--budget", "1")

    assert series.look.structure == "sequence"
    assert "sequences of 32 steps of 2 channels" in topics(series)["structure"]

    options = ("--unit", "unit", "--time", "cycle", "--window", "8", "--remaining", "12")
    life, _ = advise(
        ounce, tmp_path, "--data", tmp_path / "wear.csv", *options, "--without", "state",
        "--budget", "2",
    )  # fmt: skip
    assert life.look.shape[0] == 8
    assert life.options["remaining"] == 12
    built(ounce, tmp_path, life)


@pytest.mark.parametrize("labelled", [True, False], ids=["labels", "no-labels"])
def test_strange_rows(ounce: Run, tmp_path: Path, *, labelled: bool) -> None:
    strange = np.arange(1200) % 20 == 0
    table = pumps(strange)
    if labelled:
        table["state"] = np.where(strange, "leak", "ok")
    table.to_csv(tmp_path / "pumps.csv", index=False)
    target = ("--target", "state") if labelled else ()

    advice, _ = advise(
        ounce, tmp_path, "--data", tmp_path / "pumps.csv", "--kind", "anomaly", *target,
        "--budget", "10",
    )  # fmt: skip

    assert {"mahalanobis", "isolation-forest"} <= {arm.model for arm in advice.arms}
    assert advice.decision.verdict != "neither-yet"
    assert ("labels" in topics(advice)) is not labelled
    assert "ADBench" in "".join(reason.source for reason in advice.reasons)
    built(ounce, tmp_path, advice)


def test_clusters(ounce: Run, tmp_path: Path) -> None:
    customers().drop(columns="group").to_csv(tmp_path / "customers.csv", index=False)

    asked = ("--data", tmp_path / "customers.csv", "--kind", "clusters", "--clusters", "3")

    first, _ = advise(ounce, tmp_path, *asked, "--budget", "4")
    advice, _ = advise(ounce, tmp_path, *asked, "--budget", "4")

    assert first.digest == advice.digest

    assert {"k-means", "gaussian-mixture"} <= {arm.model for arm in advice.arms}
    assert advice.options["clusters"] == 3
    assert "agreement with the reference" in topics(advice)["prior"]
    built(ounce, tmp_path, advice)


def test_what_has_no_target_needs_a_kind(ounce: Run, tmp_path: Path) -> None:
    customers().to_csv(tmp_path / "customers.csv", index=False)

    told = ounce("advise", "--data", tmp_path / "customers.csv")

    assert told.code == 2
    assert "--target COLUMN, or --kind anomaly or clusters" in told.stderr
