"""When certificates of a PEM file expire, and whether files were replaced.

The standard library parses certificates only of a connection, so the few bytes that are needed are
read here. Source: RFC 5280, 4.1, and X.690 (DER).
"""

import hashlib
import math
import re
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from ounce_schemas.kafka_connection import KafkaConnection

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_EXPLICIT_VERSION = 0xA0
_UTC_TIME, _GENERALIZED_TIME = 0x17, 0x18
_FIELDS_BEFORE_VALIDITY = 3
"""Serial number, algorithm, issuer; an explicit version stands before them."""


def certificate_expiries(connection: KafkaConnection) -> Mapping[str, float]:
    """When the certificates that a connection uses expire first, by the setting that names them.

    A file that can't be read is left out: Kafka's client says what is wrong with it.

    Returns:
        Seconds since 1970.
    """
    files = {"ssl_ca": connection.ssl_ca, "ssl_certificate": connection.ssl_certificate}
    found = {}
    for name, path in files.items():
        if path is None or connection.security_protocol not in ("ssl", "sasl_ssl"):
            continue
        try:
            found[name] = first_expiry_s(path)
        except (OSError, ValueError):
            continue
    return found


class FilesOfStart:
    """The PEM files of a connection as they are now: a Kafka client reads them once.

    Args:
        connection: that uses them.
    """

    def __init__(self, connection: KafkaConnection) -> None:
        paths = (connection.ssl_ca, connection.ssl_certificate, connection.ssl_key)
        self._were = {path: _content(path) for path in paths if path is not None}

    def replaced(self) -> list[Path]:
        """Those that hold something else by now."""
        return [path for path, was in self._were.items() if _content(path) not in (was, None)]


def _content(path: Path) -> bytes | None:
    """Digest of a file; None where it can't be read."""
    try:
        return hashlib.sha256(path.read_bytes()).digest()
    except OSError:
        return None


def expiry_s(path: Path) -> float:
    """As `first_expiry_s`; NaN where the file can't be read or parsed."""
    try:
        return first_expiry_s(path)
    except (OSError, ValueError):
        return math.nan


def first_expiry_s(path: Path) -> float:
    """When the first certificate of a file expires, seconds since 1970.

    Raises:
        OSError: the file can't be read.
        ValueError: it holds no certificate, or one that can't be parsed.
    """
    found = _PEM.findall(path.read_text(encoding="ascii", errors="replace"))
    if not found:
        raise ValueError(f"{path}: holds no PEM certificate")
    return min(_not_after(ssl.PEM_cert_to_DER_cert(pem)).timestamp() for pem in found)


def _not_after(der: bytes) -> datetime:
    _, certificate, _ = _element(der)
    _, signed, _ = _element(certificate)
    tag, _, rest = _element(signed)
    if tag != _EXPLICIT_VERSION:
        rest = signed
    for _ in range(_FIELDS_BEFORE_VALIDITY):
        _, _, rest = _element(rest)
    _, validity, _ = _element(rest)
    _, _, after = _element(validity)
    tag, text, _ = _element(after)
    if tag not in (_UTC_TIME, _GENERALIZED_TIME):
        raise ValueError(f"a certificate's validity has the tag {tag:#x}")
    digits = text.decode("ascii")
    if tag == _UTC_TIME:  # two digits of the year, 1950 to 2049
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    return datetime.strptime(digits, "%Y%m%d%H%M%SZ").replace(tzinfo=UTC)


def _element(der: bytes) -> tuple[int, bytes, bytes]:
    """Tag and content of the first element, and what follows it."""
    if len(der) < 2:
        raise ValueError("a certificate ends too soon")
    tag, length, start = der[0], der[1], 2
    if length & 0x80:
        start += length & 0x7F
        length = int.from_bytes(der[2:start], "big")
    if start + length > len(der):
        raise ValueError("a certificate ends too soon")
    return tag, der[start : start + length], der[start + length :]
