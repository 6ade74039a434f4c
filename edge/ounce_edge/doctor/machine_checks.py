"""Does this machine have what a worker needs: disk, open files, memory, processors, a port."""

import os
import resource
import shutil
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from ounce_schemas.wording import counted

from ounce_edge.broker.certificates import certificate_expiries
from ounce_edge.doctor.finding import Finding, Verdict
from ounce_edge.models.processor import processors
from ounce_edge.models.runtimes.memory_limit import free_bytes
from ounce_edge.telemetry.trace_protocol import GRPC_PORT, TraceProtocol
from ounce_edge.worker.settings.worker import WorkerSettings

LOG_MB = 64.0
"""Most megabytes of the decision log of a task and worker."""
_STATE_MB = 1.0
_CONNECT_S = 3.0
_LEAST_DAYS = 14.0
"""To have a certificate renewed, as of the alert on it."""
_FILES_APART = 200
"""Libraries, models, logs and pipes of a worker, beside its connections."""
_CLIENTS = 8
"""Kafka clients of a worker: consumer, producer, admin, labels, events, policies, canaries."""
_BASE_MB = 300.0
"""Of a worker without models and requests."""


def check_machine(
    settings: WorkerSettings, n_brokers: int, models_mb: float | None
) -> Iterator[Finding]:
    """Everything of this machine.

    Args:
        settings: of the worker.
        n_brokers: of the cluster.
        models_mb: memory that the models took; None: they were not loaded.
    """
    yield from check_certificates(settings, time.time())
    yield from check_disk(settings)
    yield check_open_files(n_brokers, _open_files_limit())
    yield check_memory(settings, models_mb, free_bytes())
    yield check_processors(settings, processors())
    yield check_port(settings.metrics_host, settings.metrics_port)
    if settings.traces is not None:
        yield check_receiver(settings.traces, settings.traces_protocol)


def check_certificates(settings: WorkerSettings, now_s: float) -> Iterator[Finding]:
    """Whether the certificates of the connection with Kafka are valid for long enough."""
    for name, expires_s in certificate_expiries(settings).items():
        days = (expires_s - now_s) / 86_400
        check, advice = f"certificate of --{name.replace('_', '-')}", "have a new one signed"
        if days <= 0:
            yield Finding(check, Verdict.FAILURE, f"expired {counted(-days, 'day')} ago", advice)
        elif days < _LEAST_DAYS:
            yield Finding(check, Verdict.WARNING, f"expires in {days:,.1f} days", advice)
        else:
            yield Finding(check, Verdict.OK, f"expires in {counted(days, 'day')}")


def check_disk(settings: WorkerSettings) -> Iterator[Finding]:
    """Whether the folders that a worker writes can be written, and have room."""
    if settings.decisions is not None:
        needed_mb = LOG_MB * len(settings.task)
        yield check_folder("disk of decisions", settings.decisions, needed_mb)
    if settings.models_store is not None:
        yield check_folder("disk of models", settings.models_cache, settings.models_cache_mb)
    if settings.follow_policies:
        yield check_folder("disk of the kept policy", settings.state, _STATE_MB)


def check_folder(check: str, folder: Path, needed_mb: float) -> Finding:
    """One folder, which may not be there yet."""
    present = folder.absolute()
    while not present.exists():
        present = present.parent
    if not present.is_dir() or not os.access(present, os.W_OK | os.X_OK):
        advice = "give this user the right to write there, or name another folder"
        return Finding(check, Verdict.FAILURE, f"{present} can't be written", advice)
    free_mb = shutil.disk_usage(present).free / 1e6
    text = f"{folder}: {free_mb:,.0f} MB free, at most {needed_mb:,.0f} MB are written"
    if free_mb < needed_mb:
        return Finding(check, Verdict.WARNING, text, "free some, or name a folder elsewhere")
    return Finding(check, Verdict.OK, text)


def check_open_files(n_brokers: int, limit: int) -> Finding:
    """Whether as many files may be open as connections and models need."""
    check, needed = "open files", _FILES_APART + 2 * _CLIENTS * max(n_brokers, 1)
    text = f"{limit:,} may be open, {needed:,} are needed with {counted(n_brokers, 'broker')}"
    if limit < needed:
        advice = "raise it: `ulimit -n 4096`, LimitNOFILE= of systemd, ulimits: of compose"
        return Finding(check, Verdict.FAILURE, text, advice)
    return Finding(check, Verdict.OK, text)


def check_memory(settings: WorkerSettings, models_mb: float | None, free: int | None) -> Finding:
    """Whether models and waiting requests find room in so many bytes; None: not known."""
    check = "memory"
    if free is None:
        return Finding(check, Verdict.SKIPPED, "this system tells no free memory")
    free_mb = free / 1e6
    models = settings.max_model_mb if settings.max_model_mb is not None else models_mb or 0.0
    needed_mb = _BASE_MB + models + 2 * settings.max_waiting_mb  # a batch is held twice at most
    text = f"{free_mb:,.0f} MB are free, {needed_mb:,.0f} MB may be needed"
    if free_mb < needed_mb:
        advice = "lower --max-waiting-mb or set --max-model-mb, or give the worker more"
        return Finding(check, Verdict.FAILURE, text, advice)
    return Finding(check, Verdict.OK, text)


def check_processors(settings: WorkerSettings, n: int) -> Finding:
    """Whether as many threads are asked for as can run."""
    threads = settings.threads
    text = f"{n} for {counted(threads, 'thread')} of models"
    if threads > n:
        return Finding("processors", Verdict.WARNING, text, f"set --threads {n}")
    return Finding("processors", Verdict.OK, text)


def check_receiver(url: str, protocol: TraceProtocol) -> Finding:
    """Whether something listens where traces are sent."""
    check, parts = "receiver of traces", urlsplit(url)
    usual = 443 if parts.scheme == "https" else 80
    port = parts.port or (GRPC_PORT if protocol is TraceProtocol.GRPC else usual)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=_CONNECT_S):
            return Finding(check, Verdict.OK, f"{url} listens")
    except OSError as e:
        advice = "start it, or correct --traces: until then traces are lost, and nothing else"
        return Finding(check, Verdict.WARNING, f"{url}: {e.strerror or e}", advice)


def check_port(host: str, port: int) -> Finding:
    """Whether metrics can be served."""
    check = "metrics port"
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as e:
            text = f"{host}:{port}: {e.strerror or e}"
            advice = "fine if a worker runs here: `ounce status`; else choose another"
            return Finding(check, Verdict.WARNING, text, f"{advice} --metrics-port")
    return Finding(check, Verdict.OK, f"{host}:{port} is free")


def _open_files_limit() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000_000 if soft == resource.RLIM_INFINITY else soft
