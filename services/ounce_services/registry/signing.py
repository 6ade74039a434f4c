"""Signing a release with a private key, in the format of Sigstore's model signing.

What is signed is a folder with the one file `release.json`, which names the digests of all others.
"""

import json
import tempfile
from pathlib import Path

from ounce_schemas.errors import ArtifactError
from ounce_schemas.release_signature import RELEASE_FILE, need_model_signing
from ounce_schemas.wording import shell_word


def sign(release: bytes, key: Path) -> bytes:
    """The signature of a release.

    Args:
        release: its bytes.
        key: PEM file of an elliptic-curve private key without password: P-256, P-384 or P-521.

    Raises:
        ArtifactError: the key can't be used.
    """
    model_signing = need_model_signing()
    if not key.is_file():
        raise ArtifactError(
            f"{key}: no key there; make one with `ounce models key {shell_word(key)}`"
        )
    with tempfile.TemporaryDirectory(prefix="ounce-sign-") as scratch:
        folder, signature = Path(scratch) / "release", Path(scratch) / "signature"
        folder.mkdir()
        (folder / RELEASE_FILE).write_bytes(release)
        try:
            config = model_signing.signing.Config().use_elliptic_key_signer(private_key=key)
            config.sign(folder, signature)
        except Exception as e:  # whatever its libraries raise, the key is not one that signs
            raise ArtifactError(f"{key}: can't sign: {' '.join(str(e).split())}") from e
        return signature.read_bytes()


def signer_of(signature: bytes) -> str | None:
    """Which public key a signature says that it is for; None where it does not say."""
    try:
        return str(json.loads(signature)["verificationMaterial"]["publicKey"]["hint"])
    except (ValueError, LookupError, TypeError):
        return None


def make_key(path: Path) -> Path:
    """Write a new private key, and the public key beside it.

    Args:
        path: of the private key, PEM; only its owner may read it.

    Returns:
        Place of the public key: the same name with the ending `.pub`.

    Raises:
        ArtifactError: something is there already, or it can't be written.
    """
    need_model_signing()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, public = ec.generate_private_key(ec.SECP256R1()), path.with_name(f"{path.name}.pub")
    try:
        path.touch(mode=0o600, exist_ok=False)
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        public.write_bytes(
            key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
        )
    except OSError as e:
        raise ArtifactError(f"{path}: no key is written: {e.strerror or e}") from e
    return public
