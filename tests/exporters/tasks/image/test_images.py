"""Images as a person's own data: found, said, learned, exported, and what can't be read."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.wire.formats.image_file import MOST_WHOLE
from ounce_exporters.export.artifacts import write_task
from ounce_exporters.export.example import example_request
from ounce_exporters.ladder.building import export_model
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.own.torch_modules import from_torch
from ounce_exporters.tasks.image import models
from ounce_exporters.tasks.image.folders import read_folder
from ounce_exporters.tasks.table.options import TableOptions, read_image_size
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.crossfit import train
from ounce_schemas.errors import DataError, ExportError
from torch import nn

from tests.exporters.tasks.image.pictures import LABELS, SIDE, bar, file_of, write_folders

N = 24


def loaded(path: Path, target: str | None = None, **options: Any) -> tuple[TaskData, str]:
    said: list[str] = []
    data = load(path, target, "t", TableOptions(**options), 0, said.append)
    return data, "\n".join(said)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folders(tmp_path_factory.mktemp("bars"), N)


def pixel_rows(n: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    labels = [LABELS[i % 3] for i in range(n)]
    rows = np.array([bar(label, rng).ravel() for label in labels])
    table = pd.DataFrame(rows, columns=[f"p{i}" for i in range(rows.shape[1])])
    table["label"] = labels
    return table


def test_a_folder_without_images_is_told_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("none")
    with pytest.raises(DataError, match="has no folder with PNG or JPEG files: put the images of"):
        read_folder(tmp_path)
    with pytest.raises(DataError, match=r"has no PNG or JPEG files$"):
        read_folder(tmp_path, flat=True)


def test_a_folder_per_class_is_found_and_said(folders: Path) -> None:
    data, said = loaded(folders)
    assert f"images in a folder for each class, {3 * N} in 3" in said
    assert "models read 18 x 18 pixels, grey" in said  # the median of 12 and 24
    (tensor,) = data.spec.inputs
    assert (tensor.datatype, tensor.shape) == ("UINT8", (18, 18, 1))
    assert data.spec.labels == LABELS


def test_every_family_learns_images(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "_LEAST_STEPS", 60)
    data, _ = loaded(folders, image=(SIDE, SIDE, None))
    write_task(tmp_path / "t", data.spec, data.test)
    cards = {}
    for recipe in recipes(data):
        if recipe.name in ("cnn", "random-forest"):  # made and read as others are
            continue
        trained = train(recipe, data, 0, lambda share: None)
        cards[recipe.name] = export_model(data, recipe, trained, tmp_path / "t", 0)
    names = ["logistic-regression", "small-cnn", "residual-cnn"]
    assert list(cards) == names
    assert all(card.parity.agreement == 1.0 for card in cards.values())
    assert cards["small-cnn"].test_accuracy.value > 0.6
    served = load_ladder(tmp_path, "t", OnnxCpuRuntime())
    assert not served.refused
    assert len(served.models) == len(cards)


def test_a_table_of_paths(folders: Path, tmp_path: Path) -> None:
    table = pd.DataFrame(
        [(f"{label}/{i}.{'png' if i % 2 else 'jpeg'}", label, i) for label in LABELS
         for i in range(N)], columns=["photo", "kind", "shot"])  # fmt: skip
    table.loc[3, "photo"] = "lying/absent.png"
    table["twin"] = table["kind"]
    table.to_csv(folders / "table.csv", index=False)
    data, said = loaded(folders / "table.csv", "kind", image=(10, 8, None), by="twin")
    assert "column 'photo' names images: models read 10 x 8 pixels, grey" in said
    assert f"1 of {3 * N} images can't be read" in said
    assert "absent.png: No such file or directory; they are left out" in said
    assert "columns 'shot' are no inputs" in said
    assert len(data.train) + len(data.test) == 3 * N - 1
    assert data.groups is not None
    assert data.groups.names.tolist() == [data.spec.labels[i] for i in data.validation.targets]
    table["photo"] = "absent.png"
    table.to_csv(folders / "table.csv", index=False)
    with pytest.raises(DataError, match="Mend or remove them"):
        loaded(folders / "table.csv", "kind")


def test_a_quantity_of_images(folders: Path) -> None:
    rng = np.random.default_rng(0)
    names = [f"{label}/{i}.{'png' if i % 2 else 'jpeg'}" for label in LABELS for i in range(N)]
    prices = [float(name.startswith("upright")) * 5 + rng.normal() * 0.1 for name in names]
    pd.DataFrame({"photo": names, "price": prices}).to_csv(folders / "p.csv", index=False)
    data, said = loaded(folders / "p.csv", "price")
    assert "of 'price' counts as acceptable" in said
    made = {recipe.name: recipe for recipe in recipes(data)}
    assert "ridge" in made
    model = made["small-cnn"].fit(data, 0, lambda share: None)
    errors = model.predict(data.test.inputs)[:, 0] - data.test.targets
    assert np.abs(errors).mean() < 1.5


def test_rows_of_pixels(tmp_path: Path) -> None:
    pixel_rows(90).to_csv(tmp_path / "t.csv", index=False)
    data, said = loaded(tmp_path / "t.csv", "label", image=(SIDE, SIDE, None))
    assert f"each row holds the pixels of an image: models read {SIDE} x {SIDE} pixels" in said
    assert data.spec.inputs[0].shape == (SIDE, SIDE, 1)
    example = example_request(data.spec, data.test)
    assert example.raw == data.test.inputs["image"][0].tobytes()
    assert '"datatype": "UINT8"' in example.body
    colour, _ = loaded(tmp_path / "t.csv", "label", image=(6, 8, None))
    assert colour.spec.inputs[0].shape == (6, 8, 3)
    with pytest.raises(DataError, match="--image 5x5 needs 25 columns of grey pixels or 75"):
        loaded(tmp_path / "t.csv", "label", image=(5, 5, None))


def test_what_is_no_pixel_is_named(tmp_path: Path) -> None:
    table = pixel_rows(90).astype(object)
    table.loc[4, "p7"] = 0.5
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=r"column 'p7' holds '0\.5': pixels are whole numbers"):
        loaded(tmp_path / "t.csv", "label", image=(SIDE, SIDE, None))


def test_a_class_with_one_file_and_files_of_other_kinds_are_left_out_and_said(
    tmp_path: Path,
) -> None:
    folder = write_folders(tmp_path / "bars", 16)
    (folder / "rare").mkdir()
    (folder / "rare" / "1.png").write_bytes(file_of(np.zeros((9, 9), np.uint8)))
    (folder / "lying" / "notes.txt").write_text("no image")
    (folder / "lying" / "claims.png").write_text("<html>")
    data, said = loaded(folder)
    assert data.spec.labels == LABELS
    assert "'rare' (1 row)" in said
    assert "no PNG or JPEG are left out: 1, the first is 'lying/notes.txt'" in said
    assert "claims.png: no PNG or JPEG image is in the file" in said


def test_a_folder_without_images_and_sizes_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no folder with PNG or JPEG files"):
        loaded(tmp_path)
    with pytest.raises(DataError, match="the class of an image is the folder"):
        loaded(tmp_path, "kind")
    for text in ("28", "0x4", "28x28x2", "9999x1"):
        with pytest.raises(DataError, match="give HEIGHTxWIDTH in pixels"):
            read_image_size(text)
    assert read_image_size("28x20x3") == (28, 20, 3)


def test_images_have_no_windows_and_take_no_own_models(folders: Path) -> None:
    with pytest.raises(DataError, match="--window is for sequences: the data is of images"):
        loaded(folders, window=4, unit="image")
    data, _ = loaded(folders)
    with pytest.raises(ExportError, match="has images among its inputs"):
        from_torch(nn.Linear(1, 1), data.spec)


def test_a_file_that_teaches_and_is_too_large_to_be_asked_is_said(tmp_path: Path) -> None:
    write_folders(tmp_path / "bars", 16)
    large = file_of(np.full((1000, MOST_WHOLE // 1000 + 1), 60, np.uint8))
    (tmp_path / "bars" / "blank" / "1.png").write_bytes(large)
    data, said = loaded(tmp_path / "bars")
    assert len(data.train) + len(data.test) == 48
    assert "1 image teaches, but workers take none such" in said
    assert "blank/1.png: the image is 4001 x 1000 pixels, and a PNG or progressive JPEG" in said
