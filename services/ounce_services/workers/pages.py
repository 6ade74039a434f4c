"""A worker's pages: its metrics, what its probes answer and what it serves, as they are now."""

import http.client
import time
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
from ounce_schemas.errors import OunceError
from ounce_schemas.json_errors import NO_JSON
from ounce_schemas.models_page import MODELS_PAGE, TaskModels
from prometheus_client.parser import text_string_to_metric_families

MOST_BYTES = 64_000_000
"""Of a page: what is no worker may send without end."""
_LINE_BYTES = 500
_PATHS = ("", "/", "/metrics")

_decode_models = msgspec.json.Decoder(list[TaskModels]).decode

Series = tuple[Mapping[str, str], float]
"""Labels and value."""


class PageError(OunceError):
    """A page can't be had, or is not a worker's."""


@dataclass(frozen=True)
class Page:
    """What a worker showed at one moment."""

    address: str
    at_s: float
    """On a steady clock."""
    series: Mapping[str, Sequence[Series]]
    """By name of the sample, as Prometheus shows it."""
    ready: tuple[bool, str] = (True, "ready")
    """What `/readyz` answers: whether with 200, and its line."""
    healthy: tuple[bool, str] = (True, "healthy")
    """The same of `/healthz`."""
    models: Sequence[TaskModels] = ()
    """What serves each task; empty: it does not tell."""

    def matching(self, name: str, **labels: str) -> Iterator[Series]:
        """Series of a sample that have these labels, others beside."""
        for own, value in self.series.get(name, ()):
            if all(own.get(label) == wanted for label, wanted in labels.items()):
                yield own, value

    def values(self, name: str, label: str, **labels: str) -> dict[str, float]:
        """Sums over the series of a sample, by a label."""
        sums: defaultdict[str, float] = defaultdict(float)
        for own, value in self.matching(name, **labels):
            sums[own.get(label, "")] += value
        return dict(sums)

    def total(self, name: str, **labels: str) -> float:
        """Sum over the series of a sample."""
        return sum(value for _, value in self.matching(name, **labels))


def base_url(address: str) -> str:
    """The address of a worker as a URL without a path.

    Args:
        address: HOST:PORT, or http(s)://HOST[:PORT], with or without /metrics.

    Raises:
        PageError: it is neither.
    """
    try:
        parts = urlsplit(address if "://" in address else f"http://{address}")
        is_right = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:  # a port that is none, half an address of IPv6
        is_right = False
    if "@" in address:
        raise PageError("an address of a worker has no login: HOST:PORT or http://HOST:PORT")
    is_plain = not any(character.isspace() for character in address)
    if not is_right or not is_plain or parts.path not in _PATHS or parts.query:
        raise PageError(f"{address!r} is no worker's address: HOST:PORT or http://HOST:PORT")
    return f"{parts.scheme}://{parts.netloc}"


def read_page(address: str, timeout_s: float = 5.0) -> Page:
    """Ask a worker for its pages.

    Raises:
        PageError: it does not answer, or what answers is not a worker.
    """
    url = base_url(address)
    status, text = _get(f"{url}/metrics", timeout_s, MOST_BYTES)
    if status != 200:
        raise PageError(f"{url}/metrics answers {status}: is this a worker's --metrics-port?")
    series = parse_metrics(text, f"{url}/metrics")
    at_s = time.monotonic()
    probes = [_get(f"{url}/{probe}", timeout_s, _LINE_BYTES) for probe in ("readyz", "healthz")]
    ready, healthy = ((code == 200, line.strip()) for code, line in probes)
    status, text = _get(f"{url}{MODELS_PAGE}", timeout_s, MOST_BYTES)
    models = parse_models(text, f"{url}{MODELS_PAGE}") if status == 200 else ()
    return Page(address, at_s, series, ready, healthy, models)


def read_pages(addresses: Sequence[str], timeout_s: float) -> list[Page | PageError]:
    """The pages of several workers, asked at once, in their order."""

    def read(address: str) -> Page | PageError:
        try:
            return read_page(address, timeout_s)
        except PageError as e:
            return e

    with ThreadPoolExecutor(min(len(addresses), 16)) as threads:
        return list(threads.map(read, addresses))


def parse_metrics(text: str, where: str) -> dict[str, list[Series]]:
    """Series by name of a page in Prometheus' text format.

    Raises:
        PageError: it is not, or not of a worker.
    """
    found: defaultdict[str, list[Series]] = defaultdict(list)
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                found[sample.name].append((sample.labels, float(sample.value)))
    except (ValueError, KeyError, IndexError) as e:
        raise PageError(f"{where} is not in Prometheus' text format: {e}") from e
    if "ounce_build_info" not in found:
        raise PageError(f"{where} is not a worker's: it has no ounce_build_info")
    return dict(found)


def parse_models(text: str, where: str) -> Sequence[TaskModels]:
    """What serves each task, of a page of JSON.

    Raises:
        PageError: it is not.
    """
    try:
        return _decode_models(text)
    except NO_JSON as e:
        raise PageError(f"{where} is not a worker's: {e}") from e


def _get(url: str, timeout_s: float, most_bytes: int) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=timeout_s) as answer:
            body = answer.read(most_bytes)
            return answer.status, body.decode(errors="replace")
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.read(_LINE_BYTES).decode(errors="replace")
    except (OSError, http.client.HTTPException) as e:
        why = getattr(e, "reason", None) or e  # of what urllib wraps
        why = getattr(why, "strerror", None) or why
        raise PageError(f"no worker at {url} ({why}): start it, or check its --metrics-port") from e
