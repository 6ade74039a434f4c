"""What can be set of a worker's GPU."""

from pathlib import Path

from ounce_schemas.kafka_connection import KafkaConnection
from pydantic import Field

from ounce_edge.models.runtime_choice import RuntimeChoice


class GpuSettings(KafkaConnection):
    """Settings of the GPU, beside those of Kafka."""

    runtime: RuntimeChoice = Field(
        default=RuntimeChoice.CPU,
        description="Where models run: cpu; tensorrt: also on the GPU, those that have an engine; "
        "tensorrt-rtx: the same with TensorRT for RTX; cuda: also on the GPU, by ONNX Runtime; "
        "auto: as tensorrt where there is a GPU",
    )
    engines: Path = Field(
        default=Path(".ounce-engines"),
        description="Folder of engines that `ounce engines build` writes; of this user alone",
    )
    max_gpu_mb: float | None = Field(
        default=None,
        gt=0,
        le=10_000_000,
        description="Megabytes of GPU memory that models may take; those that were used least "
        "lately leave the GPU, and come back when messages have time for it. Default: no limit",
    )
