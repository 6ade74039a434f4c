"""Files of a bucket in S3, or of what speaks like it: what `ModelStore` asks of a file system.

Settings come from the environment, as those of Amazon's own clients: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL and others.
The client panics over a setting that can't be, and raises no error: all are looked at first.
"""

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

from obstore.exceptions import BaseError
from obstore.store import S3Store

from ounce_schemas.errors import ArtifactError

_PREFIX = "AWS_"
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_SERVERS = (*_ENDPOINTS, "AWS_METADATA_ENDPOINT")
_CREDENTIALS_PATH = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"
_WITHOUT_BLANKS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_TOKEN", "AWS_REGION",
    "AWS_DEFAULT_REGION",
)  # fmt: skip
_OTHER = re.compile("[^!-~]")
_SERVER = re.compile(
    r"https?://((?P<name>[\w.-]+)|\[(?P<ipv6>[\da-fA-F:.]+)\])(:(?P<port>\d{1,5}))?(/[\w./-]*)?",
    re.ASCII,
)
_NUMBER = re.compile(r"(.*\.)?(\d+|0x[\da-f]*)\.?", re.ASCII | re.IGNORECASE)
"""A host that ends so is an address, and no name."""
_LAST_PORT = 65_535
_TIMEOUT = timedelta(seconds=10)
_MOST_RETRIES = 2


class S3Files:
    """One bucket.

    Args:
        url: `s3://BUCKET/FOLDER`.

    Raises:
        ValueError: it names no bucket.
        ArtifactError: a setting is none.
    """

    protocol = ("s3",)

    def __init__(self, url: str) -> None:
        bucket, _, folder = url.removeprefix("s3://").partition("/")
        if not bucket:
            raise ValueError("it names no bucket")
        self.root = folder.rstrip("/")
        settings = {name: v for name, v in os.environ.items() if name.startswith(_PREFIX)}
        _look_for_faults(settings)
        is_plain = any(settings.get(name, "").startswith("http://") for name in _ENDPOINTS)
        try:
            self._store = S3Store(
                bucket,
                client_options={
                    "allow_http": is_plain,
                    "timeout": _TIMEOUT,
                    "connect_timeout": _TIMEOUT,
                },
                retry_config={"max_retries": _MOST_RETRIES, "retry_timeout": _TIMEOUT},
            )
        except BaseError as e:
            why = str(e).partition("\n")[0]
            raise ArtifactError(f"can't set up {url}: {why}; check the AWS_ settings") from e

    def cat_file(self, path: str, start: int, end: int) -> bytes:
        """The bytes from `start` to `end`, or to the end of the file.

        Raises:
            FileNotFoundError: it is not there.
            BaseError: the store does not answer, or not this key.
        """
        try:
            return bytes(self._store.get_range(path, start=start, end=end))
        except BaseError:
            if self._store.head(path)["size"] > start:
                raise
            return b""  # no range of nothing can be asked for

    def exists(self, path: str) -> bool:
        """Whether a file is there.

        Raises:
            BaseError: as in `cat_file`.
        """
        try:
            self._store.head(path)
        except FileNotFoundError:
            return False
        return True

    def ls(self, path: str, detail: bool) -> list[str]:
        """Paths of what is in a folder; nothing where there is none.

        Raises:
            BaseError: as in `cat_file`.
        """
        found = self._store.list_with_delimiter(f"{path.rstrip('/')}/")
        return [*found["common_prefixes"], *(each["path"] for each in found["objects"])]

    def makedirs(self, path: str, exist_ok: bool) -> None:
        """A bucket has no folders."""

    def pipe_file(self, path: str, content: bytes) -> None:
        """Write a file; it appears whole.

        Raises:
            BaseError: as in `cat_file`.
        """
        self._store.put(path, content, use_multipart=False)


def _look_for_faults(settings: Mapping[str, str]) -> None:
    for name, value in settings.items():
        if not value.isprintable() or (name in _WITHOUT_BLANKS and _OTHER.search(value)):
            raise ArtifactError(
                f"{name} holds a blank, a line end or another sign that no such setting has"
            )
        if name in _SERVERS and not _is_server(value):
            raise ArtifactError(
                f"{name} is {value!r}: give a URL such as https://HOST:PORT, or unset it"
            )
    path = settings.get(_CREDENTIALS_PATH)
    if path is not None and not path.startswith("/"):
        raise ArtifactError(f"{_CREDENTIALS_PATH} is {path!r}: it begins with /, or unset it")


def _is_server(url: str) -> bool:
    """Whether it is a URL of a server."""
    found = _SERVER.fullmatch(url)
    if found is None or int(found["port"] or 0) > _LAST_PORT:
        return False
    name = found["name"]
    try:
        if name is None:
            IPv6Address(found["ipv6"])
        elif _NUMBER.fullmatch(name):
            IPv4Address(name.removesuffix("."))
        else:
            name.encode().decode("idna")
    except ValueError:
        return False
    return True
