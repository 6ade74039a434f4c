"""How traces reach their receiver."""

from enum import StrEnum

GRPC_PORT = 4317
"""Where receivers of OTLP over gRPC listen."""


class TraceProtocol(StrEnum):
    """OTLP's transports."""

    HTTP = "http"
    GRPC = "grpc"
