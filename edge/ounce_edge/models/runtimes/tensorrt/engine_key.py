"""What an engine is of."""

import hashlib

import msgspec


class EngineKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where anything differs, it is another engine."""

    model_sha256: str
    tensorrt: str
    """Name and version."""
    gpu: str
    capability: str
    driver: str
    best: int
    most: int
    """Of the batch profile."""
    flags: str
    """How it is built."""

    @property
    def digest(self) -> str:
        """Names its file."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()
