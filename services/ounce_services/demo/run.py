"""The demo's steps, and their undoing."""

import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from ounce_schemas.topics import all_topics
from rich.console import Console

from ounce_services.cluster.admin import create_topics
from ounce_services.cluster.embedded import EmbeddedBroker
from ounce_services.demo.feed import ReportFeed
from ounce_services.demo.ladders import find_ladder, link_ladders
from ounce_services.demo.live import show
from ounce_services.demo.settings import DemoSettings
from ounce_services.demo.start import StartScreen
from ounce_services.demo.summary import next_steps, summary
from ounce_services.demo.trainings import start_trainings
from ounce_services.devices.report import Phase
from ounce_services.process.children import Child, ChildError, Children, ounce_command
from ounce_services.process.readiness import free_port, wait_until_ready

MODELS = "models"
"""In the folder of a run: links to its ladders, which may lie in two models folders."""
DECISIONS = "decisions"
"""In the folder of a run: what the worker records, for dry runs in the console."""
_POLL_S = 0.05
_GROUP = "ounce-demo"
"""Of the worker."""


def run_demo(settings: DemoSettings, console: Console) -> int:
    """Run all steps; Ctrl-C and SIGTERM end it early and in order.

    Returns:
        Exit code: 0, also when interrupted; 1 when inputs got no answer.

    Raises:
        OunceError: a step failed; everything is stopped.
    """
    logs = Path(tempfile.mkdtemp(prefix="ounce-demo-"))
    feed = ReportFeed(logs / "report.jsonl")
    interrupted = False
    with _interruptible():
        try:
            _run_steps(settings, console, logs, feed)
        except KeyboardInterrupt:
            interrupted = True
            console.print()
    feed.follow()
    console.print()
    console.print(summary(feed.latest), highlight=False)
    console.print(next_steps(settings.models, feed.latest, logs), soft_wrap=True, end="")
    if interrupted:
        _say(console, "Interrupted; everything is stopped.")
    is_whole = feed.latest is None or feed.latest.unanswered == 0
    return 0 if interrupted or is_whole else 1


def _run_steps(settings: DemoSettings, console: Console, logs: Path, feed: ReportFeed) -> None:
    with ExitStack() as stack:
        in_training = stack.enter_context(Children())
        trainings = start_trainings(settings.models, settings.task, logs, in_training)
        found = [find_ladder(settings.models, task) for task in settings.task]
        with StartScreen(console, trainings, [path for path in found if path]) as screen:
            screen.wait_for_trainings()
            ladders = _require_ladders(settings)
            link_ladders(ladders, logs / MODELS)
            screen.go_on()
            kafka = _open_broker(settings, stack)
            # Entered after the broker, so that they end before it does.
            children = stack.enter_context(Children())
            port = settings.metrics_port or free_port()
            url = f"http://127.0.0.1:{port}"
            command = _worker(settings, kafka, port, logs)
            worker = children.start("ounce worker", command, logs / "worker.log")
            console_url = _start_console(settings, kafka, logs, children)
            wait_until_ready(worker, f"{url}/readyz")
            screen.go_on()
            command = _devices(settings, kafka, logs)
            devices = children.start("ounce devices", command, logs / "devices.log")
            while not feed.follow() and not _is_over(worker, devices):
                time.sleep(_POLL_S)
        for ladder in ladders:
            _say(console, f"{ladder.name}: the ladder in {ladder}")
        for training in trainings:
            for model in training.failed_models:
                _say(console, f"{training.task}: without {model}, which failed: see {training.log}")
        _say(console, f"broker: {kafka}{'' if settings.kafka else ', embedded'}")
        _say(console, f"worker: {url}/metrics")
        if console_url:
            _say(console, f"console: {console_url}")
        _say(console, f"devices: sending for {settings.duration:g} s")
        show(
            console,
            feed,
            lambda: _is_over(worker, devices),
            duration_s=settings.duration,
            links=f"console {console_url}" if console_url else f"{url}/metrics",
        )
        if feed.latest is None or feed.latest.phase is not Phase.DONE:
            raise devices.error()


def _open_broker(settings: DemoSettings, stack: ExitStack) -> str:
    """Bootstrap servers of a broker that has the tasks' topics.

    Raises:
        BrokerError: it does not answer, or refuses a topic.
    """
    kafka = settings.kafka or stack.enter_context(EmbeddedBroker(_GROUP)).bootstrap_servers
    create_topics(
        kafka,
        all_topics(settings.task),
        timeout_s=settings.kafka_timeout_s,
        security=settings.security,
    )
    return kafka


def _require_ladders(settings: DemoSettings) -> list[Path]:
    """The folder of each task's ladder.

    Raises:
        ChildError: a training ended well and left none.
    """
    ladders = []
    for task in settings.task:
        ladder = find_ladder(settings.models, task)
        if ladder is None:
            raise ChildError(f"no ladder of task {task!r} is in {settings.models}")
        ladders.append(ladder)
    return ladders


def _worker(settings: DemoSettings, kafka: str, port: int, logs: Path) -> list[str]:
    return ounce_command(
        "worker",
        *_tasks(settings),
        *("--kafka", kafka),
        *settings.security_options,
        *("--models", str(logs / MODELS)),
        *("--metrics-host", "127.0.0.1"),
        *("--metrics-port", str(port)),
        *("--group", _GROUP),
        *("--decisions", str(logs / DECISIONS)),
        *(() if settings.kafka else _of_embedded_broker(logs)),
    )


def _of_embedded_broker(logs: Path) -> tuple[str, ...]:
    """Options of a worker on a broker that nobody else uses; on the wait see EmbeddedBroker."""
    return ("--fetch-wait-ms", "4", "--follow-policies", "--state", str(logs / "state"))


def _start_console(
    settings: DemoSettings, kafka: str, logs: Path, children: Children
) -> str | None:
    """Address of the console; None: none is wanted, its packages are not installed, or Kafka is a
    real one, which nobody should change without a key. The demo goes on where it fails."""
    if not settings.console or settings.kafka is not None or find_spec("fastapi") is None:
        return None
    port = settings.console_port or free_port()
    command = ounce_command(
        *("control", "serve", "--open"),
        *("--host", "127.0.0.1", "--port", str(port)),
        *_tasks(settings),
        *("--kafka", kafka),
        *("--models", str(logs / MODELS)),
        *("--decisions", str(logs / DECISIONS)),
        *("--state", str(logs / "control.db")),
    )
    children.start("ounce control", command, logs / "control.log")
    return f"http://127.0.0.1:{port}/"


def _devices(settings: DemoSettings, kafka: str, logs: Path) -> list[str]:
    rates = [word for rate in _known_rates(settings) for word in ("--rate", rate)]
    return ounce_command(
        "devices",
        *_tasks(settings),
        *rates,
        *("--kafka", kafka),
        *settings.security_options,
        *("--models", str(logs / MODELS)),
        *("--duration", str(settings.duration)),
        *("--burst-factor", str(settings.burst_factor)),
        *("--report", str(logs / "report.jsonl")),
    )


def _tasks(settings: DemoSettings) -> list[str]:
    return [word for task in settings.task for word in ("--task", task)]


def _known_rates(settings: DemoSettings) -> list[str]:
    """Without those of tasks that are not shown: the defaults name both that ship."""
    return [
        rate for rate in settings.rate if "=" not in rate or rate.partition("=")[0] in settings.task
    ]


def _is_over(worker: Child, devices: Child) -> bool:
    """Whether the devices ended.

    Raises:
        ChildError: the worker ended before them. They are ended at once: nobody answers them.
    """
    if worker.exit_code is not None:
        devices.stop(timeout_s=0)
        raise worker.error()
    return devices.exit_code is not None


@contextmanager
def _interruptible() -> Iterator[None]:
    """SIGTERM raises KeyboardInterrupt, as SIGINT does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = [signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        yield
    finally:
        for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(number, handler)


def _say(console: Console, line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False)
