"""Receivers of traces, made of OpenTelemetry's own messages and services."""

import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from ounce_edge.telemetry.trace_protocol import TraceProtocol


class Receiver:
    """A receiver of OTLP over HTTP; a context manager.

    Args:
        is_refusing: whether it takes nothing.
    """

    def __init__(self, is_refusing: bool = False) -> None:
        self.requests: list[Any] = []
        self.paths: list[str] = []
        """What each request asked for: a path, or the method of a service."""
        self._came = threading.Condition()
        self._is_refusing = is_refusing
        self.url = self._listen()

    def _listen(self) -> str:
        """Be ready to start, and return the URL."""
        from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
            ExportTraceServiceRequest,
            ExportTraceServiceResponse,
        )

        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver._take(self.path, ExportTraceServiceRequest.FromString(body))
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(400 if receiver._is_refusing else 200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        return f"http://127.0.0.1:{self._server.server_port}"

    def _take(self, path: str, request: Any) -> None:
        with self._came:
            self.paths.append(path)
            self.requests.append(request)
            self._came.notify_all()

    @property
    def spans(self) -> list[Any]:
        """All spans that came."""
        return [
            span
            for request in self.requests
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]

    def wait_for(self, n_spans: int, timeout_s: float = 60.0) -> None:
        """Return once so many came.

        Raises:
            TimeoutError: they did not.
        """
        with self._came:
            if not self._came.wait_for(lambda: len(self.spans) >= n_spans, timeout_s):
                raise TimeoutError(f"{len(self.spans)} spans came, not {n_spans}")

    def __enter__(self) -> Self:
        self._start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Go away."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


class GrpcReceiver(Receiver):
    """The same over gRPC, with the service of opentelemetry-proto."""

    def _listen(self) -> str:
        import grpc
        from opentelemetry.proto.collector.trace.v1 import (
            trace_service_pb2,
            trace_service_pb2_grpc,
        )

        receiver = self

        class Service(trace_service_pb2_grpc.TraceServiceServicer):
            def Export(self, request: Any, context: Any) -> Any:  # noqa: N802
                receiver._take("TraceService/Export", request)
                if receiver._is_refusing:
                    context.abort(grpc.StatusCode.INVALID_ARGUMENT, "takes nothing")
                return trace_service_pb2.ExportTraceServiceResponse()

        self._grpc = grpc.server(ThreadPoolExecutor(2))
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server(Service(), self._grpc)
        return f"http://127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"

    def _start(self) -> None:
        self._grpc.start()

    def close(self) -> None:
        """Go away."""
        self._grpc.stop(None).wait(60)


RECEIVERS = {TraceProtocol.HTTP: Receiver, TraceProtocol.GRPC: GrpcReceiver}
