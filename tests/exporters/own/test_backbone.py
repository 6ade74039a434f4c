"""A frozen network of somebody else gives features; what can't is refused in one line."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.own import onnx_file
from ounce_exporters.own.backbone import Backbone, read_backbone
from ounce_exporters.own.feeding import read_range
from ounce_exporters.own.frozen_features import FrozenFeatures
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.neural import export, reproducible, run
from ounce_schemas.documents import read_card
from ounce_schemas.errors import ArtifactError, DataError, ExportError
from ounce_schemas.task import TensorSpec
from torch import nn

from tests.exporters.own.foreign import linear, rooms
from tests.exporters.tasks.image.pictures import SIDE, write_folders
from tests.exporters.tasks.sequence.waves import write_ts
from tests.support.process.command import Run


def written(path: Path, module: nn.Module, shape: tuple[int, ...]) -> tuple[Path, str]:
    """A torch module as an ONNX file, and the tensor before its last layer."""
    graph = export(module, TensorSpec(name="x", datatype="FP32", shape=shape))
    onnx.save(graph, path)
    (last,) = [node for node in graph.graph.node if "uncalibrated" in node.output]
    return path, last.input[0]


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A network of colour images of 16 x 16 pixels, with a licence in its metadata."""
    with reproducible(0):
        network = nn.Sequential(
            nn.Conv2d(3, 8, 5, 2), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU(), nn.Flatten(),
            nn.Linear(128, 7),
        )  # fmt: skip
    path, tensor = written(tmp_path_factory.mktemp("backbones") / "net.onnx", network, (3, 16, 16))
    model = onnx.load(path)
    helper.set_model_props(model, {"License": "Apache-2.0"})
    onnx.save(model, path)
    return path, tensor


HEADS = ("--only=backbone-linear", "--only=backbone-mlp")


def test_images_of_another_size_and_grey(
    images: tuple[Path, str], train: Run, tmp_path: Path
) -> None:
    file, tensor = images
    photos = write_folders(tmp_path / "bars", 24)
    words = [f"--data={photos}", f"--image={SIDE}x{SIDE}", f"--models={tmp_path}", *HEADS]
    result = train(*words, f"--from-onnx={file}#{tensor}")
    assert result.code == 0, result.stderr
    assert "Note: the network of net.onnx stays as it is" in result.stdout
    assert "licence: Apache-2.0" in result.stdout.replace("\n", " ")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    for name in ("backbone-linear", "backbone-mlp"):
        card = read_card(tmp_path / "bars" / name / "card.json")
        assert card.backbone is not None
        assert (card.backbone.file, card.backbone.tensor) == ("net.onnx", tensor)
        assert (card.backbone.sha256, card.backbone.licence) == (digest, "Apache-2.0")
        assert card.parity.agreement == 1.0
        assert card.test_accuracy.value > 0.7
        page = (tmp_path / "bars" / name / "README.md").read_text()
        assert f"sha256 `{digest}`, licence: Apache-2.0" in page
        assert not (tmp_path / "bars" / name / "weights.safetensors").exists()
    served = load_ladder(tmp_path, "bars", OnnxCpuRuntime())
    assert not served.refused
    assert len(served.models) == 2


def waves(folder: Path) -> TaskData:
    data = load(write_ts(folder / "w.ts", 60), None, "w", TableOptions(), 0, lambda line: None)
    return data


def numbers(folder: Path) -> TaskData:
    rooms().drop(columns=["watts", "site"]).to_csv(folder / "r.csv", index=False)
    return load(folder / "r.csv", "busy", "r", TableOptions(), 0, lambda line: None)


def pictures(folder: Path) -> TaskData:
    path, options = write_folders(folder / "p", 16), TableOptions(image=(SIDE, SIDE, None))
    return load(path, None, "p", options, 0, lambda line: None)


def features(backbone: Backbone, data: TaskData, pixels: str = "0..1") -> np.ndarray:
    return FrozenFeatures(backbone, data, read_range(pixels)).features(data.train.inputs)


def test_sequences_are_turned_and_their_gaps_filled(tmp_path: Path) -> None:
    data = waves(tmp_path)
    values = data.train.inputs["sequence"]
    values[0, :5, 1] = np.nan
    with reproducible(0):
        network = nn.Sequential(
            nn.Conv1d(2, 4, 5), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(4, 3)
        )
    path, tensor = written(tmp_path / "net.onnx", network, (2, 32))
    found = features(read_backbone(path, tensor, None), data)
    filled = np.where(np.isnan(values), np.nanmean(values, axis=(0, 1)), values)
    wanted = run(network[:-1].eval(), filled.transpose(0, 2, 1).astype(np.float32))
    assert found == pytest.approx(wanted, abs=1e-4)


def test_pixels_are_brought_to_the_range_that_is_said(tmp_path: Path) -> None:
    data = pictures(tmp_path)
    network = nn.Sequential(nn.Flatten(), nn.Identity(), nn.Linear(3 * SIDE * SIDE, 2))
    path, _ = written(tmp_path / "net.onnx", network, (3, SIDE, SIDE))
    model = onnx.load(path)
    backbone = read_backbone(path, model.graph.node[0].output[0], None)
    raw = np.tile(data.train.inputs["image"].transpose(0, 3, 1, 2).astype(np.float64), (1, 3, 1, 1))
    mean, spread = (np.array(v).reshape(1, 3, 1, 1) for v in (
        [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))  # fmt: skip
    for text, wanted in (
        ("0..1", raw / 255),
        ("-1..1", raw / 127.5 - 1),
        ("0..255", raw),
        ("imagenet", (raw / 255 - mean) / spread),
    ):
        found = features(backbone, data, text)
        assert found == pytest.approx(wanted.reshape(len(raw), -1), abs=1e-4)


def test_a_table_of_numbers(train: Run, tmp_path: Path) -> None:
    table = rooms().drop(columns=["busy", "site"])
    table.loc[::9, "warm"] = np.nan
    table.to_csv(tmp_path / "r.csv", index=False)
    file = linear(tmp_path / "net.onnx", names=("x", "y"), weights=np.eye(2))
    words = [f"--data={tmp_path / 'r.csv'}", "--target=watts", f"--models={tmp_path}", *HEADS]
    result = train(*words, f"--from-onnx={file}#y", "--licence=MIT")
    assert result.code == 0, result.stderr
    card = read_card(tmp_path / "r" / "backbone-linear" / "card.json")
    assert card.backbone is not None
    assert card.backbone.licence == "MIT"
    assert card.regression is not None
    assert card.regression.r2 > 0.4


def test_a_network_of_two_inputs_gets_the_columns_of_their_names(tmp_path: Path) -> None:
    ports = [
        helper.make_tensor_value_info(n, TensorProto.DOUBLE, ["n", 1]) for n in ("wet", "warm")
    ]
    node = helper.make_node("Concat", ["wet", "warm"], ["both"], axis=1)
    end = helper.make_node("Neg", ["both"], ["end"])
    graph = helper.make_graph([node, end], "g", ports, [
        helper.make_tensor_value_info("end", TensorProto.DOUBLE, ["n", 2])])  # fmt: skip
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
              tmp_path / "net.onnx")  # fmt: skip
    data = numbers(tmp_path)
    (tensor,) = data.spec.inputs
    assert tensor.columns == ("warm", "wet")
    found = features(read_backbone(tmp_path / "net.onnx", "both", None), data)
    assert found == pytest.approx(data.train.inputs[tensor.name][:, ::-1])


def test_a_part_in_which_a_branch_reads_from_outside_is_kept_whole(tmp_path: Path) -> None:
    branch = [
        helper.make_graph([helper.make_node(op, ["half"], [f"{op}/y"])], op, [], [
            helper.make_tensor_value_info(f"{op}/y", TensorProto.FLOAT, None)])
        for op in ("Neg", "Abs")
    ]  # fmt: skip
    nodes = [
        helper.make_node("Mul", ["x", "two"], ["half"]),
        helper.make_node("If", ["yes"], ["chosen"], then_branch=branch[0], else_branch=branch[1]),
        helper.make_node("Exp", ["chosen"], ["end"]),
    ]
    constants = [
        onnx.numpy_helper.from_array(np.array(0.5, np.float32), "two"),
        onnx.numpy_helper.from_array(np.array(True), "yes"),
        onnx.numpy_helper.from_array(np.zeros(9, np.float32), "unused"),
    ]
    ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", 2]) for n in ("x", "end")]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
              tmp_path / "net.onnx")  # fmt: skip
    data = numbers(tmp_path)
    backbone = read_backbone(tmp_path / "net.onnx", "chosen", None)
    assert {w.name for w in backbone.graph.graph.initializer} == {"two", "yes"}
    found = features(backbone, data)
    assert found == pytest.approx(-0.5 * data.train.inputs[data.spec.inputs[0].name], rel=1e-5)


def custom(path: Path) -> Path:
    model = onnx.load(linear(path))
    model.graph.node.append(helper.make_node("Wave", ["y"], ["z"], domain="my.shop"))
    model.opset_import.append(helper.make_opsetid("my.shop", 1))
    onnx.save(model, path)
    return path


def external(path: Path) -> Path:
    model = onnx.load(linear(path))
    onnx.save_model(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    return path


def text(path: Path) -> Path:
    path.write_text("not a network, however it is called")
    return path


@pytest.mark.parametrize(
    ("make", "tensor", "says"),
    [
        (linear, "centered", "no operator makes a tensor 'centered': near ones are centred"),
        (linear, "zzzzzzzz", "no operator makes a tensor 'zzzzzzzz': the last ones are centred, y"),
        (linear, "x", "'x' is an input or a weight: name a tensor that an operator makes"),
        (text, "y", "not an ONNX file"),
        (custom, "z", "needs operators that are not standard (my.shop.Wave)"),
        (external, "y", "keeps weights in other files, of which its digest says nothing: save it"),
    ],
)
def test_a_file_that_is_no_use_is_refused_before_the_data_is_read(
    make: Callable[[Path], Path], tensor: str, says: str, train: Run, tmp_path: Path
) -> None:
    file = make(tmp_path / "net.onnx")
    result = train("--data=no.csv", "--target=y", f"--from-onnx={file}#{tensor}")
    assert result.code == 1
    assert says in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_network_is_cut_before_an_operator_of_its_own(tmp_path: Path) -> None:
    backbone = read_backbone(custom(tmp_path / "net.onnx"), "y", None)
    assert features(backbone, numbers(tmp_path)).shape[1] == 3


def test_a_huge_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "MOST_BYTES", 100)
    with pytest.raises(ArtifactError, match="at most 0 MiB"):
        read_backbone(linear(tmp_path / "net.onnx"), "y", None)
    with pytest.raises(ArtifactError, match="there is no such file"):
        read_backbone(tmp_path / "none.onnx", "y", None)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--from-onnx=net.onnx"], "name a tensor, too, as in net.onnx#pooled"),
        (["--from-onnx=net.onnx#y", "--tune=3"], "leave out --tune"),
        (["--from-onnx=net.onnx#y", "--kind=anomaly"], "leave out --kind"),
        (["--licence=MIT"], "--licence is of a network that --from-onnx names"),
        (["--pixels=0..255"], "--pixels is of a network that --from-onnx names"),
    ],
)
def test_options_that_do_not_go_together(words: list[str], says: str, train: Run) -> None:
    result = train("--data=no.csv", "--target=y", *words)
    assert result.code == 2
    assert says in result.stderr.replace("\n", " ")


def fixed(path: Path) -> Path:
    return linear(path, batch=4)


def wide(path: Path) -> Path:
    return linear(path, width=9)


@pytest.mark.parametrize(
    ("make", "data", "says"),
    [
        (wide, numbers, "matches no input and no column"),
        (fixed, numbers, "is made for 4 items a call"),
        (fixed, waves, "is made for 4 items a call"),
        (linear, waves, "of shape [?, 2] reads no sequences of 32 steps of 2 channels"),
        (linear, pictures, "of shape [?, 2] reads no images: they are of shape [batch, 1, height"),
    ],
)
def test_shapes_that_do_not_fit(
    make: Callable[[Path], Path], data: Callable[[Path], TaskData], says: str, tmp_path: Path
) -> None:
    backbone = read_backbone(make(tmp_path / "net.onnx"), "y", None)
    with pytest.raises(ExportError) as refused:
        features(backbone, data(tmp_path))
    assert says in str(refused.value)
    assert "--from-onnx net.onnx#y: " in str(refused.value)


def test_features_that_tell_nothing_are_refused(tmp_path: Path) -> None:
    file = linear(tmp_path / "net.onnx", weights=np.zeros((2, 3)))
    with pytest.raises(ExportError, match="have the same features: they tell nothing"):
        features(read_backbone(file, "y", None), numbers(tmp_path))
    with pytest.raises(DataError, match=r"--pixels '1\.\.0': give LOW\.\.HIGH"):
        read_range("1..0")
