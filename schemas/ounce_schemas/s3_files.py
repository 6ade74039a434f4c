"""Files of a bucket in S3, or of what speaks like it: what `ModelStore` asks of a file system.

Settings come from the environment, as those of Amazon's own clients: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_ENDPOINT_URL and others.
"""

import os
import re
from datetime import timedelta
from ipaddress import IPv4Address, IPv6Address

from obstore.exceptions import BaseError
from obstore.store import S3Store

from ounce_schemas.errors import ArtifactError

_ENDPOINT = "AWS_ENDPOINT_URL"
_WITHOUT_BLANKS = (
    "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION",
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
        ArtifactError: a setting is none. The client would panic over it, and raise no error.
    """

    protocol = ("s3",)

    def __init__(self, url: str) -> None:
        bucket, _, folder = url.removeprefix("s3://").partition("/")
        if not bucket:
            raise ValueError("it names no bucket")
        self.root = folder.rstrip("/")
        for name in _WITHOUT_BLANKS:
            if _OTHER.search(os.environ.get(name, "")):
                raise ArtifactError(
                    f"{name} holds a blank, a line end or another sign that no such setting has"
                )
        endpoint = os.environ.get(_ENDPOINT)
        if endpoint is not None and not _is_server(endpoint):
            raise ArtifactError(
                f"{_ENDPOINT} is {endpoint!r}: give a URL such as https://HOST:PORT, or unset it"
            )
        is_plain = endpoint is not None and endpoint.startswith("http://")
        self._store = S3Store(
            bucket,
            client_options={
                "allow_http": is_plain,
                "timeout": _TIMEOUT,
                "connect_timeout": _TIMEOUT,
            },
            retry_config={"max_retries": _MOST_RETRIES, "retry_timeout": _TIMEOUT},
        )

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
