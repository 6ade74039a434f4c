"""Measured service times, as cards hold them."""

from pydantic import Field

from ounce_schemas.task import Document


class LatencyAtBatch(Document):
    """Time of one call with `batch_size` items."""

    batch_size: int = Field(ge=1)
    p50_ms: float = Field(gt=0)
    p99_ms: float = Field(gt=0)


class Latency(Document):
    """Service time through the edge's own runtime."""

    runtime: str = Field(description="For example onnxruntime-cpu 1.32.0")
    machine: str = Field(description="Processor it was measured on")
    threads: int = Field(ge=1)
    batches: tuple[LatencyAtBatch, ...] = Field(min_length=1)
