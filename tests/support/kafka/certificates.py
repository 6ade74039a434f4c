"""An authority of the tests' own, and certificates that it signs; made when a test runs."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

__all__ = ["Authority", "KeyPair", "OpensslMissingError"]


class OpensslMissingError(Exception):
    """This machine can't make certificates."""


class KeyPair(NamedTuple):
    """PEM files."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates.

    Args:
        folder: where its files go.
        name: of the authority.

    Raises:
        OpensslMissingError: there is no openssl program.
    """

    def __init__(self, folder: Path, name: str = "tests") -> None:
        if shutil.which("openssl") is None:
            raise OpensslMissingError("no openssl on PATH")
        self._folder = folder
        self.certificate = folder / f"{name}-ca.pem"
        self._key = folder / f"{name}-ca.key"
        self._run(
            *("req", "-x509", "-days", "2", "-subj", f"/CN={name}", "-out", self.certificate),
            *_new_key(self._key),
        )

    def sign(self, name: str, *, host: str | None = None, days: int = 2) -> KeyPair:
        """A new key, and its certificate.

        Args:
            name: common name, and of the files.
            host: DNS name that the certificate is for.
            days: how long it is valid; negative: it has expired.
        """
        pair = KeyPair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        request = self._folder / f"{name}.csr"
        extension = self._folder / f"{name}.ext"
        extension.write_text(f"subjectAltName=DNS:{host}\n" if host else "")
        self._run("req", "-subj", f"/CN={name}", "-out", request, *_new_key(pair.key))
        self._run(
            *("x509", "-req", "-in", request, "-out", pair.certificate, "-days", days),
            *("-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial"),
            *("-extfile", extension),
        )
        return pair

    def encrypt(self, pair: KeyPair, password: str) -> Path:
        """The key of a pair, encrypted."""
        encrypted = pair.key.with_suffix(".encrypted")
        self._run(
            *("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-in", pair.key, "-out", encrypted),
            *("-passout", f"pass:{password}"),
        )
        return encrypted

    @staticmethod
    def _run(*arguments: object) -> None:
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def _new_key(path: Path) -> tuple[object, ...]:
    return (
        *("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
        *("-nodes", "-keyout", path),
    )
