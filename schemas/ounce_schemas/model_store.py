"""A store of models wherever fsspec reaches: a folder, S3 or what speaks like it, HTTP."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ounce_schemas.errors import ArtifactError
from ounce_schemas.whole_file import UNFINISHED, write_whole

_CHUNK_BYTES = 1 << 20
_EXTRAS = {"file": "edge", "http": "http", "https": "http", "s3": "s3"}
"""By protocol: what installs the package that reads it."""


class ModelStore:
    """Reads and writes files of a store. Each is written once.

    Args:
        url: of its folder: a path, `s3://bucket/folder`, `https://host/folder`.

    Raises:
        ArtifactError: nothing here can read such a URL.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        protocol = url.partition("://")[0] if "://" in url else "file"
        self._is_local = protocol in ("file", "local")
        try:
            self._fs, root = _open(url, protocol)
            self._root = f"{root}/" if root else ""
        except ImportError as e:
            extra = _EXTRAS.get(protocol)
            if extra is None:
                raise ArtifactError(
                    f"{url}: is no store that Ounce has a package for: {_first_paragraph(str(e))}; "
                    "or take a folder, s3://BUCKET/FOLDER or https://HOST/FOLDER"
                ) from e
            raise ArtifactError(
                f"a store at {protocol}:// needs the package {e.name or extra!r}: "
                f'install it with pip install "ounce[{extra}]"'
            ) from e
        except ValueError as e:
            raise ArtifactError(f"{url}: is no URL of a store: {e}") from e
        except OSError as e:
            raise ArtifactError(f"the store at {url} can't be reached: {e.strerror or e}") from e

    def read(self, path: str, most_bytes: int) -> bytes:
        """A small file.

        Raises:
            FileNotFoundError: the store has none there.
            ArtifactError: it is larger, or the store can't be read.
        """
        content: bytes = self._ask(path, lambda at: self._fs.cat_file(at, start=0, end=most_bytes))
        if len(content) >= most_bytes:
            raise ArtifactError(f"{self.url}/{path}: has {most_bytes} bytes or more")
        return content

    def chunks(self, path: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to `end`, a part at a time.

        Raises:
            FileNotFoundError: the store has none there.
            ArtifactError: the store can't be read, or the file ends before.
        """
        for begin in range(start, end, _CHUNK_BYTES):
            until = min(begin + _CHUNK_BYTES, end)
            content = self._ask(path, lambda at, b=begin, u=until: self._cat(at, b, u))
            if len(content) >= end > until - begin:  # a server that gives whole files only
                yield content[begin:end]
                return
            if len(content) != until - begin:
                raise ArtifactError(f"{self.url}/{path}: ends before its {end} bytes")
            yield content

    def has(self, path: str) -> bool:
        """Whether a file is there.

        Raises:
            ArtifactError: the store can't be asked.
        """
        return bool(self._ask(path, self._fs.exists))

    def names(self, folder: str) -> list[str]:
        """Names of the files in a folder, ascending; none where there is no such folder.

        Raises:
            ArtifactError: the store can't be asked.
        """
        try:
            found = self._ask(folder, lambda at: self._fs.ls(at, detail=False))
        except FileNotFoundError:
            return []
        names = (str(path).rstrip("/").rsplit("/", 1)[-1] for path in found)
        return sorted(name for name in names if not name.endswith(UNFINISHED))

    def write(self, path: str, content: bytes) -> None:
        """Write a file that is not there yet; what is there stays. It appears whole.

        Raises:
            ArtifactError: the store takes none.
        """
        if self.has(path):
            return

        def put(at: str) -> None:
            if self._is_local:
                write_whole(Path(at), content)
            else:  # an object store shows an object once it is whole
                self._fs.makedirs(at.rsplit("/", 1)[0], exist_ok=True)
                self._fs.pipe_file(at, content)

        try:
            self._ask(path, put)
        except FileNotFoundError as e:
            why = _first_paragraph(str(e))
            raise ArtifactError(f"the store at {self.url} takes no {path}: {why}") from e

    def _cat(self, at: str, begin: int, until: int) -> bytes:
        content: bytes = self._fs.cat_file(at, start=begin, end=until)
        return content

    def _ask(self, path: str, ask: Any) -> Any:
        try:
            return ask(f"{self._root}{path}")
        except FileNotFoundError:
            raise
        except Exception as e:  # each protocol raises errors of its own client
            why = " ".join(_first_paragraph(str(e)).split()) or type(e).__name__
            raise ArtifactError(f"the store at {self.url} does not serve {path}: {why}") from e


def _first_paragraph(text: str) -> str:
    """Of an error; what some clients add is for their developers."""
    return text.strip().partition("\n\n")[0]


def _open(url: str, protocol: str) -> tuple[Any, str]:
    """What reads and writes files, and its path of the store."""
    if protocol == "s3":
        from ounce_schemas.s3_files import S3Files

        files = S3Files(url)
        return files, files.root
    import fsspec

    # HTTP: each file is asked for anew; none is listed.
    fs, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    return fs, str(root)
