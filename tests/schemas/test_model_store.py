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


@pytest.mark.parametrize(
    "url",
    [
        "",
        "127.0.0.1:9000",
        "localhost",
        "https://",
        "http://a b",
        "http://[::1",
        "http://x:0x",
        "https://x:99999",
        "http://ü",
    ],
)
def test_an_endpoint_that_is_no_url_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    with pytest.raises(ArtifactError, match=r"AWS_ENDPOINT_URL is '.*': give a URL such as https"):
        ModelStore("s3://bucket/folder")


@pytest.mark.parametrize(
    ("name", "value"), [("AWS_ACCESS_KEY_ID", "key\n"), ("AWS_REGION", "eu west")]
)
def test_a_setting_with_a_line_end_is_named(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ArtifactError, match=f"{name} holds a blank, a line end") as refused:
        ModelStore("s3://bucket/folder")
    assert value not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9000", "https://s3.example.org", "http://[::1]:9"]
)
def test_an_endpoint_that_is_a_url_is_taken(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", url)
    assert ModelStore("s3://bucket/folder").url == "s3://bucket/folder"


def test_no_extra_is_named_that_does_not_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gcsfs", None)
    with pytest.raises(ArtifactError, match=r"gcsfs.*; or take a folder, s3://BUCKET") as refused:
        ModelStore("gs://bucket/folder")
    assert "ounce[" not in str(refused.value)
