"""Tables with a column of sentences: found, said, learned, exported, and served."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ounce_edge.models.catalogue import load_ladder
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_exporters.export.artifacts import write_task
from ounce_exporters.ladder.building import export_model
from ounce_exporters.ladder.recipe import TaskData
from ounce_exporters.tasks.table.options import TableOptions
from ounce_exporters.tasks.table.recipes import recipes
from ounce_exporters.tasks.table.sentences import bytes_to_read, cut, is_sentences
from ounce_exporters.tasks.table.task import load
from ounce_exporters.training.byte_ngrams import (
    BUCKETS,
    DIGITS_ALIKE,
    FACTOR,
    N_FEATURES,
    encode,
    hash_ngrams,
    root_lengths,
)
from ounce_exporters.training.crossfit import select, train
from ounce_exporters.training.hashed_linear import HashedLinear
from ounce_schemas.errors import DataError
from ounce_schemas.task import TaskSpec, TensorSpec

N = 400
WORDS = ["the", "meeting", "is", "at", "noon", "please", "call", "me", "when", "you", "are", "home"]
WORDS += ["and", "bring", "some", "bread"]
SPAM = ("WIN a prize now", "free entry to a draw", "urgent claim your cash")


def messages(n: int = N) -> pd.DataFrame:
    """A third of the messages hold a phrase of spam, in upper or lower case; one is empty."""
    rng = np.random.default_rng(0)
    spam = np.arange(n) % 3 == 0
    texts = [" ".join(rng.choice(WORDS, 9)) for _ in range(n)]
    for i in np.flatnonzero(spam):
        phrase = SPAM[i // 3 % len(SPAM)]
        texts[i] = f"{texts[i][:20]} {phrase.upper() if i % 2 else phrase} {texts[i][20:]}"
    texts[1] = ""
    return pd.DataFrame({"text": texts, "kind": np.where(spam, "spam", "ham")})


def loaded(table: pd.DataFrame, folder: Path, target: str, **options: Any) -> tuple[TaskData, str]:
    table.to_csv(folder / "t.csv", index=False)
    said: list[str] = []
    data = load(folder / "t.csv", target, "t", TableOptions(**options), 0, said.append)
    # One validation split, not folds: a fit of each model does.
    assert data.folds is not None
    kept = {"train": select(data.train, data.folds > 0), "validation": select(
        data.train, data.folds == 0)}  # fmt: skip
    return replace(data, folds=None, **kept), "\n".join(said)


def ladder(data: TaskData, folder: Path, *, only: str = "") -> dict[str, Any]:
    """Cards by model, of every family or of one."""
    write_task(folder / "t", data.spec, data.test)
    cards = {}
    for recipe in recipes(data):
        if only not in recipe.name:
            continue
        trained = train(recipe, data, 0, lambda share: None)
        cards[recipe.name] = export_model(data, recipe, trained, folder / "t", 0)
    return cards


def test_a_column_of_sentences_is_found_and_every_family_learns_it(tmp_path: Path) -> None:
    data, said = loaded(messages(), tmp_path, "kind")
    assert "column 'text' is text: models read its letters" in said
    (tensor,) = data.spec.inputs
    assert (tensor.name, tensor.datatype) == ("text", "BYTES")
    assert 48 <= (tensor.text_bytes or 0) <= 96
    cards = ladder(data, tmp_path)
    assert set(cards) == {"hashed-linear", "hashed-mlp", "byte-cnn"}
    assert cards["hashed-linear"].test_accuracy.value > 0.97
    assert cards["hashed-mlp"].test_accuracy.value > 0.9
    assert all(card.parity.agreement == 1.0 for card in cards.values())
    served = load_ladder(tmp_path, "t", OnnxCpuRuntime())
    assert not served.refused
    texts = np.array([["x free ENTRY to a draw y"], ["bring me some bread"], [""]], dtype=object)
    answers = {m.card.model: m.loaded.run({"text": texts}) for m in served.models}
    assert answers["hashed-linear"].argmax(axis=1).tolist() == [1, 0, 0]
    scripts = "\u4f60\u597d, \u043c\u0438\u0440! \U0001f600"
    strange = np.array([[scripts], ["\ud800"], ["x" * 10**6]], dtype=object)
    for one in served.models:
        assert np.isfinite(one.loaded.run({"text": strange})).all()


def test_text_beside_other_columns(tmp_path: Path) -> None:
    table = messages()
    rng = np.random.default_rng(1)
    table["length"] = rng.normal(size=N)
    table["network"] = rng.choice(["a", "b"], N)
    table["kind"] = np.where(table["length"] > 0.5, "other", table["kind"])
    data, _ = loaded(table, tmp_path, "kind")
    assert [tensor.name for tensor in data.spec.inputs] == ["input", "categories", "text"]
    cards = ladder(data, tmp_path)
    assert set(cards) == {"hashed-linear", "hashed-mlp", "byte-cnn"}
    for name, card in cards.items():
        assert card.parity.agreement == 1.0, name
        lost = {i.input: i.lost for i in card.importances}
        assert lost["length"] > 0.1, name
        if name != "byte-cnn":  # so few texts teach it little
            assert card.test_accuracy.value > 0.85, name
            assert lost["text"] > 0.1, name
    served = load_ladder(tmp_path, "t", OnnxCpuRuntime())
    assert not served.refused
    one = {"input": np.array([[1e9]], np.float32), "categories": np.array([["?"]], object)}
    for model in served.models:
        answer = model.loaded.run({**one, "text": np.array([[""]], object)})
        assert np.isfinite(answer).all(), model.card.model


def test_a_quantity_of_texts(tmp_path: Path) -> None:
    table = messages()
    rng = np.random.default_rng(2)
    table["price"] = 3.0 * (table.pop("kind") == "spam") + 0.2 * rng.normal(size=N)
    data, _ = loaded(table, tmp_path, "price")
    (card,) = ladder(data, tmp_path, only="hashed-linear").values()
    assert card.regression.r2 > 0.8
    assert card.parity.agreement >= 0.999


def test_what_is_text_can_be_corrected(tmp_path: Path) -> None:
    names = pd.DataFrame({"name": [f"n{i}" for i in range(N)], "y": ["a", "b"] * (N // 2)})
    assert not is_sentences(names["name"])
    data, _ = loaded(names, tmp_path, "y", columns={"name": "text"})
    assert data.spec.inputs[0].text_bytes == 32
    with pytest.raises(DataError, match="no column is left to predict 'kind' from"):
        loaded(messages(), tmp_path, "kind", columns={"text": "ignore"})


def test_a_huge_text_in_the_table_is_cut(tmp_path: Path) -> None:
    table = messages()
    table.loc[5, "text"] = "many words " * 10_000
    data, _ = loaded(table, tmp_path, "kind")
    longest = max(len(text) for text in data.train.inputs["text"][:, 0])
    assert longest <= 96
    assert bytes_to_read([np.array(["x" * 10_000] * 9, dtype=object)]) == 512
    assert cut(np.array(["ab\u20ac"], dtype=object), 4).tolist() == ["ab"]


def test_a_text_of_megabytes_in_the_table_is_refused_with_its_line(tmp_path: Path) -> None:
    table = messages()
    table.loc[5, "text"] = "many words " * 900_000
    with pytest.raises(DataError, match=r"line 7: field larger than field limit \(131072\)"):
        loaded(table, tmp_path, "kind")


def test_hashes_are_those_of_the_definition_and_zeros_are_none() -> None:
    encoded = np.frombuffer(b"Ab\xff\0\0\0", np.uint8)[None]
    features = hash_ngrams(encoded).reshape(4, 6)
    expected = (ord("a") * FACTOR + ord("b")) % BUCKETS
    assert features[0, 0] == expected
    assert features[1, 0] == BUCKETS + (expected * FACTOR + 255) % BUCKETS
    assert (features[:, 3:] % BUCKETS == 0).all()
    assert features.max() < N_FEATURES
    assert BUCKETS * FACTOR + 255 < 2**31


def test_long_texts_add_up_without_rounding() -> None:
    texts = np.array([[" ".join(np.resize(WORDS, 200))], ["short"]], object)
    tensor = TensorSpec(name="text", datatype="BYTES", shape=(1,), text_bytes=1000)
    task = TaskSpec(
        name="t", kind="classification", description="", inputs=(tensor,), labels=tuple("abc")
    )
    table = np.random.default_rng(0).normal(size=(N_FEATURES, 3)).astype(np.float32)
    none = np.zeros((0, 3), np.float32)
    model = HashedLinear(task, None, table, none, np.zeros(3, np.float32))
    encoded = encode(task, {"text": texts})
    exact = table.astype(np.float64)[hash_ngrams(encoded)].sum(axis=1) / root_lengths(encoded)
    np.testing.assert_allclose(model.predict({"text": texts}), exact, rtol=1e-6)
    graph = model.to_onnx().SerializeToString()
    answers = OnnxCpuRuntime().load(Path("m.onnx"), graph).run({"text": texts})
    np.testing.assert_allclose(answers, exact, rtol=1e-4)  # of 4,000 weights, in float32


def test_unseen_numbers_share_n_grams_of_two_and_five_bytes_with_seen_ones() -> None:
    seen, other = (np.frombuffer(text, np.uint8)[None] for text in (b"07123", b"95846"))
    found, others = hash_ngrams(seen).reshape(4, 5), hash_ngrams(other).reshape(4, 5)
    for row, size in enumerate((2, 3, 4, 5)):
        assert (found[row] == others[row]).all() == (size in DIGITS_ALIKE)


def test_the_default_tolerance_is_of_a_model_that_reads_the_text(tmp_path: Path) -> None:
    table = messages()
    table["cost"] = 3.0 * (table["kind"] == "spam") + np.random.default_rng(0).normal(0, 0.2, N)
    data, said = loaded(table[["text", "cost"]], tmp_path, "cost")
    assert data.spec.tolerance is not None
    assert data.spec.tolerance < 1.5, said
