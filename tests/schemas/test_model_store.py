"""What a store says where the package that reads it is not installed."""

import sys

import pytest
from ounce_schemas.errors import ArtifactError
from ounce_schemas.model_store import ModelStore


@pytest.mark.parametrize(
    ("url", "module", "extra"),
    [
        ("https://models.invalid/f", "aiohttp", "http"),
        ("s3://bucket/f", "obstore.store", "s3"),
        ("/srv/models", "fsspec", "edge"),
    ],
)
def test_the_extra_that_reads_it_is_named(
    url: str, module: str, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    for imported in ("fsspec.implementations.http", "ounce_schemas.s3_files"):
        monkeypatch.delitem(sys.modules, imported, raising=False)
    with pytest.raises(ArtifactError, match=rf'install it with pip install "ounce\[{extra}\]"'):
        ModelStore(url)


def test_no_extra_is_named_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ArtifactError, match=r"gcsfs.*; or take a folder, s3://BUCKET") as refused:
        ModelStore("gs://bucket/folder")
    assert "ounce[" not in str(refused.value)
