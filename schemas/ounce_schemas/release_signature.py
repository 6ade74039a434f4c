"""Checking the signature of a release: Sigstore's model signing with a public key."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ounce_schemas.errors import ArtifactError, OunceError

RELEASE_FILE = "release.json"
"""The one file of the folder that is signed."""


def need_model_signing() -> Any:
    """The library.

    Raises:
        OunceError: it is not installed.
    """
    try:
        import model_signing
    except ModuleNotFoundError as e:
        raise OunceError(
            f'signatures of models need the package {e.name!r}: pip install "ounce[signing]"'
        ) from e
    return model_signing


def check_signature(release: bytes, signature: bytes, keys: Sequence[Path]) -> None:
    """Check that one of the keys has signed a release.

    Args:
        release: its bytes.
        signature: as `ounce models publish --key` wrote it.
        keys: PEM files of public keys.

    Raises:
        ArtifactError: none has.
    """
    model_signing, why = need_model_signing(), ""
    with tempfile.TemporaryDirectory(prefix="ounce-check-") as scratch:
        folder, file = Path(scratch) / "release", Path(scratch) / "signature"
        folder.mkdir()
        (folder / RELEASE_FILE).write_bytes(release)
        file.write_bytes(signature)
        for key in keys:
            try:
                config = model_signing.verifying.Config()
                config.use_elliptic_key_verifier(public_key=key).verify(folder, file)
            except Exception as e:  # whatever its libraries raise, it is not signed by this key
                why = " ".join(str(e).split()) or type(e).__name__
            else:
                return
    names = ", ".join(map(str, keys))
    raise ArtifactError(f"its signature is not one by {names}: {why[:200]}")
