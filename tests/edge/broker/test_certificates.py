"""When certificates expire, and which were replaced."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from ounce_edge.broker.certificates import FilesOfStart, certificate_expiries, first_expiry_s
from ounce_schemas.kafka_connection import KafkaConnection

NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "ö" * 30)])
SOON = datetime(2027, 3, 4, 5, 6, 7, tzinfo=UTC)
LATE = datetime(2061, 1, 1, tzinfo=UTC)
"""Beyond 2049 a certificate writes its years with four digits."""


def pem(expires: datetime) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(expires - timedelta(days=400))
        .not_valid_after(expires)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(Encoding.PEM)


@pytest.mark.parametrize("expires", [SOON, LATE, datetime(1999, 12, 31, tzinfo=UTC)])
def test_a_certificates_end_is_read(expires: datetime, tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_bytes(b"a comment\n" + pem(expires))
    assert first_expiry_s(tmp_path / "c.pem") == expires.timestamp()


def test_of_a_chain_the_first_end_counts(tmp_path: Path) -> None:
    (tmp_path / "c.pem").write_bytes(pem(LATE) + pem(SOON) + pem(LATE))
    assert first_expiry_s(tmp_path / "c.pem") == SOON.timestamp()


@pytest.mark.parametrize("cut", [0, 40, 200, 400])
def test_what_is_no_certificate_is_named(cut: int, tmp_path: Path) -> None:
    lines = pem(SOON).decode().splitlines()
    body = "".join(lines[1:-1])[:cut]
    (tmp_path / "c.pem").write_text(f"{lines[0]}\n{body}\n{lines[-1]}\n" if cut else "nothing")
    with pytest.raises(ValueError, match=r"PEM certificate|ends too soon|Invalid|padding|tag"):
        first_expiry_s(tmp_path / "c.pem")


def test_only_what_the_connection_uses_is_looked_at(tmp_path: Path) -> None:
    ca = tmp_path / "ca.pem"
    ca.write_bytes(pem(LATE))
    secure = KafkaConnection(security_protocol="ssl", ssl_ca=ca)
    assert certificate_expiries(secure) == {"ssl_ca": LATE.timestamp()}
    ca.write_text("nothing")
    assert certificate_expiries(secure) == {}
    assert certificate_expiries(KafkaConnection()) == {}


def test_files_that_were_replaced_are_named(tmp_path: Path) -> None:
    own, key = tmp_path / "c.pem", tmp_path / "c.key"
    for path in (own, key):
        path.write_bytes(pem(SOON))
    connection = KafkaConnection(security_protocol="ssl", ssl_certificate=own, ssl_key=key)
    files = FilesOfStart(connection)
    assert files.replaced() == []
    own.write_bytes(pem(LATE))
    key.unlink()  # somebody is about to replace it
    assert files.replaced() == [own]
    assert FilesOfStart(KafkaConnection()).replaced() == []
