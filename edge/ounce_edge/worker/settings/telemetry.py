"""What can be set of what a worker tells."""

from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from ounce_edge.telemetry.tenant_counts import FIRST_SEEN, MOST_NAMED
from ounce_edge.telemetry.trace_protocol import TraceProtocol
from ounce_edge.worker.settings.process import ProcessSettings


class TelemetrySettings(ProcessSettings):
    """Settings of a worker's tenants and traces, beside those of every process."""

    metrics_tenant: tuple[str, ...] = Field(
        default=(),
        max_length=MOST_NAMED,
        description="Tenant that has series of its own on /metrics; repeat for several, all others "
        f"are one. Default: the first {FIRST_SEEN} that are seen",
    )
    traces: str | None = Field(
        default=None,
        pattern=r"^https?://[^/\s]+(/\S*)?$",
        description="Receiver of traces, OTLP: http://HOST:4318. Default: no traces",
    )
    traces_protocol: TraceProtocol = Field(
        default=TraceProtocol.HTTP,
        description="How traces are sent: http, or grpc, whose receivers listen at port 4317",
    )
    trace_share: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="Share of messages that are traced where their sender does not say. Those that "
        "missed a target or failed are traced as well",
    )
    traces_per_s: float = Field(
        default=50.0,
        ge=1,
        le=10_000,
        description="Most messages traced a second, and as many of those that missed or failed",
    )

    @field_validator("traces")
    @classmethod
    def _traces_without_login(cls, traces: str | None) -> str | None:
        if traces is not None and "@" in urlsplit(traces).netloc:
            raise ValueError("others can read it: give the login in OTEL_EXPORTER_OTLP_HEADERS")
        return traces

    @model_validator(mode="after")
    def _no_path_of_grpc(self) -> Self:
        if self.traces_protocol is TraceProtocol.GRPC and self.traces is not None:
            path = urlsplit(self.traces).path
            if path.strip("/"):
                raise ValueError(f"traces over grpc have no path: leave out {path!r}")
        return self
