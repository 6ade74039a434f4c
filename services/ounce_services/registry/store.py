"""Releases in a store: made, signed, found."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ounce_schemas.errors import ArtifactError
from ounce_schemas.model_store import ModelStore
from ounce_schemas.release import (
    MOST_RELEASE_BYTES,
    Release,
    ReleasedFile,
    blob_path,
    read_release,
    release_path,
    signature_path,
)

from ounce_services.registry.signing import sign, signer_of


def write_release(
    store: ModelStore, release: Release, files: Mapping[str, bytes], digest: str, key: Path | None
) -> None:
    """Write files, signature and release, in this order: what a release names is there.

    Args:
        store: takes them; what it has is not sent again.
        release: to write.
        files: bytes by place; those that the store has may be absent.
        digest: of the release.
        key: private key that signs it; None: it is not signed.

    Raises:
        ArtifactError: the store takes none, the key can't sign, or a file is nowhere.
    """
    for file in release.files:
        content = files.get(file.place)
        if content is not None:
            store.write(blob_path(file.sha256), content)
        elif not store.has(blob_path(file.sha256)):
            raise ArtifactError(f"{store.url} has lost {file.place} of {file.sha256[:12]}…")
    if key is not None:
        store.write(signature_path(digest), sign(release.to_bytes(), key))
    store.write(release_path(release.task, digest), release.to_bytes())


def find_release(store: ModelStore, task: str, digest: str) -> Release:
    """The release of a digest.

    Raises:
        ArtifactError: the store has none, or what it has was changed.
    """
    try:
        content = store.read(release_path(task, digest), MOST_RELEASE_BYTES)
    except FileNotFoundError as e:
        raise ArtifactError(f"{store.url} has no release {digest} of task {task}") from e
    return read_release(content, digest)


def is_signed_by(store: ModelStore, release: Release, digest: str, key: Path) -> bool:
    """Whether the store has a signature of a release that is by this private key.

    Raises:
        ArtifactError: the key can't sign.
    """
    own = signer_of(sign(release.to_bytes(), key))
    try:
        found = store.read(signature_path(digest), MOST_RELEASE_BYTES)
    except FileNotFoundError:
        return False
    return own is not None and signer_of(found) == own


def whole_digest(store: ModelStore, task: str, start: str) -> str:
    """The digest that begins so.

    Raises:
        ArtifactError: no release of the task does, or several do.
    """
    found = [name for name in store.names(f"releases/{task}") if name.startswith(start)]
    if len(found) != 1:
        what = "several releases" if found else "no release"
        raise ArtifactError(f"{store.url} has {what} of task {task} beginning with {start!r}")
    return found[0]


def joined(
    new: Iterable[ReleasedFile], served: Iterable[ReleasedFile], gone: Iterable[str] = ()
) -> list[ReleasedFile]:
    """Files of a release that changes what serves.

    Args:
        new: take the places of those that serve.
        served: what serves.
        gone: names of models that leave.
    """
    left = tuple(f"{name}/" for name in gone)
    files = (
        {f.place: f for f in served if not f.place.startswith(left)}
        if left
        else {f.place: f for f in served}
    )
    files |= {f.place: f for f in new}
    return [files[place] for place in sorted(files)]
