"""What a worker does before it takes a record: Kafka, models, and how answers are delivered."""

import gc
import importlib.util
import logging
import math
import ssl
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from functools import partial

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from ounce_schemas.errors import BrokerError, OunceError, RuntimeAbsentError
from ounce_schemas.first_contact import first_contact
from ounce_schemas.policy import Policy
from ounce_schemas.topics import (
    dead_letters_topic,
    decisions_topic,
    predictions_topic,
    requests_topic,
)

from ounce_edge.broker.delivery.at_least_once import AtLeastOnce
from ounce_edge.broker.delivery.base import Delivery
from ounce_edge.broker.delivery.exactly_once import ExactlyOnce
from ounce_edge.broker.delivery.publishing import ProducerSettings, Publishing
from ounce_edge.broker.event_producer import DECISION_PRODUCER_SETTINGS, EventProducer
from ounce_edge.broker.schema_registry import SchemaRegistry
from ounce_edge.evidence.decided import Recorder
from ounce_edge.evidence.decision_entry import LogHeader
from ounce_edge.evidence.decision_log import DecisionLog
from ounce_edge.evidence.decision_stream import DecisionStream
from ounce_edge.models.cpu_and_gpu import CpuAndGpu
from ounce_edge.models.managed_runtime import ManagedRuntime
from ounce_edge.models.model_memory import ModelMemory
from ounce_edge.models.processor import processors
from ounce_edge.models.routes import absent_denials
from ounce_edge.models.runtime_choice import RuntimeChoice
from ounce_edge.models.runtimes.apart import ApartRuntime
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.models.runtimes.isolable import IsolableRuntime
from ounce_edge.models.runtimes.isolation import Isolation
from ounce_edge.models.runtimes.onnx_cpu import OnnxCpuRuntime
from ounce_edge.models.runtimes.onnx_cuda import OnnxCudaRuntime
from ounce_edge.models.runtimes.tensorrt.runtime import make_tensorrt
from ounce_edge.pipeline.edition import Edition
from ounce_edge.pipeline.lanes import Lanes
from ounce_edge.pipeline.pipeline import Pipeline
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.telemetry.tracing import Tracing, make_choice
from ounce_edge.worker.rights import Rights
from ounce_edge.worker.settings.worker import DeliveryMode, WorkerSettings

logger = logging.getLogger(__name__)

_SWITCH_S = 0.0005
"""How long a lane waits for the interpreter when its call ends and this thread is busy; Python's
default, 5 ms, is as long as the call itself."""
_FOR_REGISTRY = ("fastavro", "google.protobuf", "grpc_tools")


def reach_kafka(settings: WorkerSettings) -> Mapping[str, int]:
    """Raise BrokerError unless Kafka answers, has the topics, and this user may use all that.

    Returns:
        Predictions topics that have as many partitions as their requests topic, and how many.
    """
    admin, cluster = first_contact(
        AdminClient,
        {"bootstrap.servers": settings.kafka, "log_level": 0, **settings.security},
        settings.kafka_timeout_s,
        KafkaException,
        logger.warning,
    )
    if settings.security:  # else nobody is asked who comes
        Rights(admin, settings).check()
    present = cluster.topics
    needed = [
        name(task)
        for task in settings.task
        for name in (requests_topic, predictions_topic, dead_letters_topic)
    ]
    missing = [topic for topic in needed if topic not in present]
    if missing:
        raise BrokerError(
            f"Kafka at {settings.kafka} has no topic {', '.join(missing)}; create with "
            f"`ounce topics {' '.join(settings.task)} --kafka {settings.kafka}`"
        )
    pairs = [(requests_topic(task), predictions_topic(task)) for task in settings.task]
    size = {topic: len(present[topic].partitions) for pair in pairs for topic in pair}
    return {answers: size[answers] for asked, answers in pairs if size[asked] == size[answers]}


def make_lanes(settings: WorkerSettings) -> Lanes:
    """As many threads for long calls as are set; else one, where another core can run it."""
    n = settings.model_threads
    if n is None:
        n = min(processors() - 1, 1)
    return Lanes(n)


def tune_interpreter(lanes: Lanes) -> None:
    """What is loaded stays: keep it out of every collection, and collect rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(200_000, 20, 100)
    if len(lanes):
        sys.setswitchinterval(_SWITCH_S)


def make_isolation(settings: WorkerSettings, on_crash: Callable[[], None]) -> Isolation:
    """Runs models of the CPU in a process of their own, while that is on."""
    return Isolation(partial(OnnxCpuRuntime, settings.threads), on_crash=on_crash)


def make_runtime(settings: WorkerSettings, metrics: Metrics, isolation: Isolation) -> Runtime:
    """Loads the models of all tasks, within the budget that is set. What is unloaded, or explains,
    is loaded when it is wanted, on a thread that ends with the process."""
    is_limited = settings.max_model_mb is not None
    most_bytes = math.inf if settings.max_model_mb is None else settings.max_model_mb * 1e6
    memory = ModelMemory(most_bytes, metrics.ladders.show_memory)
    memory.start()
    on_cpu = IsolableRuntime(OnnxCpuRuntime(settings.threads), isolation)
    runtime = ManagedRuntime(on_cpu, memory, is_limited)
    uses_cuda = settings.runtime is RuntimeChoice.CUDA
    native = partial(make_tensorrt, settings.engines, settings.runtime.flavour)
    make = OnnxCudaRuntime if uses_cuda else native
    apart = make_gpu(settings.runtime, make)
    if apart is None:
        return runtime
    gpu: Runtime = apart
    if settings.max_gpu_mb is not None:
        most_gpu_bytes = round(settings.max_gpu_mb * 1e6)
        gpu_memory = ModelMemory(most_gpu_bytes, resident=lambda: apart.used_bytes)
        gpu_memory.start()
        gpu = ManagedRuntime(apart, gpu_memory)
    return CpuAndGpu(runtime, gpu, lambda: apart.joules)


def make_gpu(choice: RuntimeChoice, make: Callable[[], Runtime]) -> ApartRuntime | None:
    """The runtime of the GPU, in a process of its own; None where there is none to be.

    Args:
        choice: whether there is to be one.
        make: makes it, in that process.

    Raises:
        RuntimeAbsentError: it was asked for and can't be made.
    """
    if choice is RuntimeChoice.CPU:
        return None
    try:
        gpu = ApartRuntime(make)
    except RuntimeAbsentError as e:
        if choice is not RuntimeChoice.AUTO:
            raise
        logger.warning("models run on the CPU alone: %s", e)
        return None
    logger.info("models that the GPU takes run there, too: %s", gpu.name)
    return gpu


def make_schemas(settings: WorkerSettings) -> SchemaRegistry | None:
    """The registry that is set, where one is.

    Raises:
        OunceError: what reads its schemas is not installed.
    """
    if settings.schema_registry is None:
        return None
    missing = [name for name in _FOR_REGISTRY if importlib.util.find_spec(name) is None]
    if missing:
        raise OunceError(
            f"--schema-registry needs the package {missing[0]}: "
            'install it with pip install "ounce[registry]"'
        )
    ca = settings.schema_registry_ca
    return SchemaRegistry(
        str(settings.schema_registry),
        settings.schema_registry_login,
        None if ca is None else ssl.create_default_context(cafile=ca),
        settings.schema_registry_timeout_s,
    )


def load_pipelines(
    settings: WorkerSettings,
    policy: Policy,
    metrics: Metrics,
    lanes: Lanes,
    edition_of: Callable[[str], Edition],
) -> list[Pipeline]:
    unserved = sorted(set(policy.tasks) - set(settings.task))
    if unserved:
        logger.info("policy %s also names tasks not served here: %s", policy.version, unserved)
    pipelines, recorder_of = [], make_recorders(settings)
    for task in settings.task:
        edition = edition_of(task)
        log, most_bytes = recorder_of(edition.log_header()), settings.max_message_bytes
        pipelines.append(Pipeline(edition, lanes=lanes, log=log, max_message_bytes=most_bytes))
    metrics.describe(policy.version, [pipeline.ladder for pipeline in pipelines])
    for pipeline in pipelines:
        metrics.show(pipeline.snapshot())
    for pipeline in pipelines:
        plans, route = pipeline.plans, pipeline.edition.routes[0]
        view = route.view(plans.renew_state(time.perf_counter()))
        logger.info(
            "ladder task=%s catalogue=%s policy=%s plans=%s",
            pipeline.task.name,
            pipeline.ladder.version,
            policy.version,
            ",".join(view.names[p] for p in view.ranking(1).by_cost),
        )
        if absent := absent_denials(pipeline.ladder, pipeline.edition.policy):
            text = "policy %s denies models that task %s does not have: %s; mistyped, or to come?"
            logger.warning(text, policy.version, pipeline.task.name, absent)
    return pipelines


def make_recorders(settings: WorkerSettings) -> Callable[[LogHeader], Recorder | None]:
    """Makes what records the decisions of a task; None where they are not to be."""
    if settings.publish_decisions:
        producer = EventProducer(
            settings.kafka,
            settings.security,
            decisions_topic(),
            "decisions are not recorded",
            DECISION_PRODUCER_SETTINGS,
        )
        return partial(DecisionStream, producer, producer.close)
    folder = settings.decisions
    return lambda header: None if folder is None else DecisionLog(folder, header)


def make_tracing(settings: WorkerSettings, name: str, metrics: Metrics) -> Tracing | None:
    """Traces, where a receiver is set.

    Args:
        settings: of the worker.
        name: of the worker.
        metrics: counts what is traced.

    Raises:
        OunceError: OpenTelemetry is not installed.
    """
    if settings.traces is None:
        return None
    try:
        from ounce_edge.telemetry.otlp import make_sender

        sender = make_sender(
            settings.traces, name, settings.group, metrics.count_traced, settings.traces_protocol
        )
    except ModuleNotFoundError as e:
        raise OunceError(
            f'--traces needs the package {e.name!r}: install it with pip install "ounce[tracing]"'
        ) from e
    choice = make_choice(settings.trace_share, settings.traces_per_s)
    return Tracing(choice, sender, metrics.exemplify)


def make_delivery(
    settings: WorkerSettings, partitions: Mapping[str, int], metrics: Metrics
) -> Delivery:
    """The delivery that is set.

    Args:
        settings: of the worker.
        partitions: as `reach_kafka` returns them.
        metrics: counts what it aborts.

    Raises:
        BrokerError: Kafka does not allow it.
    """
    dead_letters = {requests_topic(task): dead_letters_topic(task) for task in settings.task}
    kafka: ProducerSettings = {
        "bootstrap.servers": settings.kafka,
        "message.max.bytes": settings.max_message_bytes,
        **settings.security,
    }
    publishing = Publishing(kafka, partitions, dead_letters, settings.max_message_bytes)
    if settings.delivery is DeliveryMode.AT_LEAST_ONCE:
        return AtLeastOnce(publishing)
    name = settings.name or uuid.uuid4().hex
    return ExactlyOnce(
        publishing,
        transactional_id=f"{settings.group}-{name}",
        on_abort=metrics.count_abort,
    )
