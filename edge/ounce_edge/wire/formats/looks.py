"""What bytes look like that no format takes: a sender finds the mistake by its name."""

import re

_MAGIC = (
    (b"\x1f\x8b", "gzip; send it uncompressed, Kafka compresses by itself"),
    (b"\x28\xb5\x2f\xfd", "Zstandard; send it uncompressed, Kafka compresses by itself"),
    (b"PK\x03\x04", "a ZIP file"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"RIFF", "a WebP image or another RIFF file"),
    (b"II*\0", "a TIFF image"),
    (b"MM\0*", "a TIFF image"),
    (b"%PDF", "a PDF file"),
    (b"PAR1", "a Parquet file"),
    (b"Obj\x01", "an Avro container file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x93NUMPY", "a NumPy file; send the array's `tobytes()` as little-endian float32"),
    (b"\x80\x04\x95", "a Python pickle, which is never read"),
    (b"\x80\x05\x95", "a Python pickle, which is never read"),
    (b"\xac\xed\x00\x05", "a serialised Java object"),
    (b"<?xml", "XML"),
    (b"# HELP ", "Prometheus' text format"),
    (b"# TYPE ", "Prometheus' text format"),
    (b"<", "XML or HTML"),
)
_ZLIB = re.compile(rb"x[\x01\x9c\xda]")
_GLUE = re.compile(rb"\x03[\0\x05].{16}", re.DOTALL)
_SPARKPLUG = re.compile(rb"\x08[\x80-\xff]{5}[\x00-\x7f]\x12")
"""A time in milliseconds, and metrics."""


def looks_like(value: bytes) -> str:
    """A name for it, and what is seen of it."""
    for start, name in _MAGIC:
        if value.startswith(start):
            return name
    if _SPARKPLUG.match(value):
        return "Sparkplug B in Protobuf; let the edge node or the MQTT broker write it as JSON"
    if not value:
        return "nothing: it is empty"
    if _GLUE.match(value):
        return "AWS Glue's framing; write JSON, or Avro or Protobuf in Confluent's framing"
    if len(value) > 4 and value[-1] == 0 and int.from_bytes(value[:4], "little") == len(value):
        return "BSON; send JSON"
    if len(value) >= 2 and value[0] & 0xF0 == 0x80 and value[1] & 0xE0 == 0xA0:
        return f"MessagePack, and begins {value[:12]!r}"
    if value[0] == 0xA1 or 0xA2 <= value[0] <= 0xB7:
        return f"CBOR, and begins {value[:12]!r}"
    try:
        text = value.decode()
    except UnicodeDecodeError:
        packed = "zlib; send it uncompressed, Kafka compresses by itself"
        return packed if _ZLIB.match(value) else f"binary data, and begins {value[:12]!r}"
    return f"text, and begins {text[:40]!r}"
