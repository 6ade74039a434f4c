"""Alerts are silent for an hour without a fault; each fires with its own, and ends after it."""

import dataclasses
import math
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from tests.services.monitoring.simulated import (
    ROOT,
    RULES,
    Counter,
    Fault,
    Simulation,
    Values,
    gauge,
    ramp,
    restarts,
)

FILES = ("recordings.yaml", "objectives.yaml", "causes.yaml")
W1, W2 = 'instance="w-1",job="ounce-worker"', 'instance="w-2",job="ounce-worker"'
TASK = f'task="digits",{W1}'
ANSWERED = f'ounce_messages_total{{model="mlp",outcome="answered",{TASK}}}'
LAG = f'ounce_consumer_lag{{partition="0",{TASK}}}'
SENT_BADLY = f'ounce_dead_letters_total{{reason="wrong-shape",{TASK}}}'
MODEL_FAILED = f'ounce_dead_letters_total{{reason="model-failed",{TASK}}}'
FENCED = f'ounce_transactions_aborted_total{{cause="fenced",{W1}}}'
EXPIRY = f'ounce_certificate_expiry_timestamp_seconds{{certificate="ssl_ca",{W1}}}'
G = 'instance="g-1",job="ounce-gateway"'
MQTT_AWAY = f"ounce_gateway_mqtt_away{{{G}}}"
DROPPED = f"ounce_gateway_dropped_total{{{G}}}"
REFUSED = f'ounce_gateway_refused_total{{reason="bad-topic",{G}}}'
STORED, AGE_S = f"ounce_gateway_stored_records{{{G}}}", f"ounce_gateway_stored_age_seconds{{{G}}}"
H = 'instance="h-1",job="ounce-http"'
CALLS = f'ounce_http_requests_total{{status="200",task="digits",{H}}}'
LATE_CALLS = f'ounce_http_requests_total{{status="504",task="digits",{H}}}'
BEGAN = [f"process_start_time_seconds{{{process}}}" for process in (W1, G, H)]
DAY_S = 86_400
A_MINUTE = 1000.0
"""Messages."""
HEALTHY_MIN = 25
"""Before a fault, where alerts look back a quarter of an hour."""


FLEET: dict[str, Values | Counter] = {
    f"up{{{W1}}}": gauge(1, 1),
    f"up{{{W2}}}": gauge(1, 1),
    **dict.fromkeys(BEGAN, gauge(1000, 1000)),
    f"ounce_healthy{{{W1}}}": gauge(1, 1),
    f"ounce_ready{{{W1}}}": gauge(1, 1),
    f"ounce_policy_stale{{{W1}}}": gauge(0, 0),
    **{f'ounce_policy_info{{version="v1",{worker}}}': gauge(1, 1) for worker in (W1, W2)},
    f"ounce_models_refused{{{TASK}}}": gauge(0, 0),
    f"ounce_unconfirmed_seconds{{{W1}}}": gauge(0, 0),
    f'ounce_partition_blocked_seconds{{partition="0",{TASK}}}': gauge(0, 0),
    f"ounce_overloaded{{{TASK}}}": gauge(0, 0),
    f'ounce_model_suspended{{model="mlp",{TASK}}}': gauge(0, 0),
    f'ounce_model_worse{{model="mlp",{TASK}}}': gauge(0, 0),
    f"ounce_recording_stopped{{{TASK}}}": gauge(0, 0),
    FENCED: Counter(),
    EXPIRY: gauge(100 * DAY_S, 100 * DAY_S),
    f'ounce_events_total{{kind="accuracy-changed",{TASK}}}': Counter(),
    f'ounce_requests_lost_total{{partition="0",{TASK}}}': Counter(),
    f"ounce_set_aside_total{{{TASK}}}": Counter(),
    f'ounce_deadline_misses_total{{model="mlp",{TASK}}}': Counter(1, 1),
    f'ounce_floor_misses_total{{model="mlp",{TASK}}}': Counter(1, 1),
    LAG: lambda is_faulty, step: float(step % 7),
    ANSWERED: Counter(A_MINUTE, A_MINUTE),
    SENT_BADLY: Counter(1, 1),
    MODEL_FAILED: Counter(),
    f"up{{{G}}}": gauge(1, 1),
    f"ounce_gateway_ready{{{G}}}": gauge(1, 1),
    f"ounce_gateway_kafka_away{{{G}}}": gauge(0, 0),
    MQTT_AWAY: gauge(0, 0),
    f"ounce_gateway_store_failing{{{G}}}": gauge(0, 0),
    f"ounce_gateway_messages_total{{{G}}}": Counter(A_MINUTE, A_MINUTE),
    f"ounce_gateway_stored_bytes{{{G}}}": gauge(0, 0),
    f"ounce_gateway_store_limit_bytes{{{G}}}": gauge(1e9, 1e9),
    STORED: lambda is_faulty, step: float(-step % 40),  # small backlogs that are sent
    AGE_S: lambda is_faulty, step: 600.0 - step % 40,
    DROPPED: Counter(),
    REFUSED: Counter(1, 1),
    f"up{{{H}}}": gauge(1, 1),
    f"ounce_http_ready{{{H}}}": gauge(1, 1),
    CALLS: Counter(A_MINUTE, A_MINUTE),
    LATE_CALLS: Counter(1, 1),
}

CAUSES = [
    Fault("OunceNoWorker", {f"up{{{w}}}": gauge(1, 0) for w in (W1, W2)}, 2, 5, 1),
    Fault("OunceWorkerGone", {f"up{{{W1}}}": gauge(1, 0)}, 2, 5, 1),
    *(Fault("OunceRestarts", {began: restarts}, 4, 10, 16) for began in BEGAN),
    Fault("OunceWorkerFenced", {FENCED: Counter(0, 4)}, 2, 2, 17),
    Fault("OunceCertificateExpires", {EXPIRY: gauge(100 * DAY_S, 3 * DAY_S)}, 1, 5, 1),
    Fault("OunceCertificateUnreadable", {EXPIRY: gauge(100 * DAY_S, math.nan)}, 3, 5, 1),
    Fault("OunceWorkerStuck", {f"ounce_healthy{{{W1}}}": gauge(1, 0)}, 1, 5, 1),
    Fault("OunceWorkerNotReady", {f"ounce_ready{{{W1}}}": gauge(1, 0)}, 2.5, 5, 1),
    Fault("OunceLagGrows", {LAG: ramp(2000)}, 2, 5, 1),
    Fault("OunceBrokerTakesNothing", {f"ounce_unconfirmed_seconds{{{W1}}}": ramp(15)}, 2, 5, 1),
    Fault(
        "OuncePartitionBlocked",
        {f'ounce_partition_blocked_seconds{{partition="0",{TASK}}}': ramp(15)},
        2, 5, 1,
    ),
    Fault(
        "OunceRequestsLost",
        {f'ounce_requests_lost_total{{partition="0",{TASK}}}': Counter(0, 50)},
        1, 2, 11,
    ),
    Fault("OunceRequestsSetAside", {f"ounce_set_aside_total{{{TASK}}}": Counter(0, 4)}, 1, 2, 11),
    Fault("OunceOverload", {f"ounce_overloaded{{{TASK}}}": gauge(0, 1)}, 2, 5, 1),
    Fault(
        "OunceModelSuspended",
        # It is tried again, and fails again.
        {f'ounce_model_suspended{{model="mlp",{TASK}}}': lambda faulty, i: faulty * (i % 3 != 2)},
        2, 5, 2,
    ),
    Fault("OunceModelWorse", {f'ounce_model_worse{{model="mlp",{TASK}}}': gauge(0, 1)}, 2, 5, 1),
    Fault(
        "OunceDrift",
        {f'ounce_events_total{{kind="accuracy-changed",{TASK}}}': Counter(0, 4)},
        1, 1, 17,
    ),
    Fault(
        "OunceRequestFatal",
        {f'ounce_events_total{{kind="models-isolated",{TASK}}}': gauge(0, 1)},
        1, 5, 17,
    ),
    Fault(  # of a worker that told of another request before it ended
        "OunceRequestFatal",
        {
            f'ounce_events_total{{kind="models-isolated",{TASK}}}': gauge(1, 1),
            f"process_start_time_seconds{{{W1}}}": gauge(-DAY_S, 60 * HEALTHY_MIN),
        },
        1, 5, 17,
    ),
    Fault("OunceDeadLetters", {SENT_BADLY: Counter(1, 100)}, 3, 10, 6),
    Fault(
        "OunceSettingsPassedOver",
        {'ounce_settings_passed_over_total{topic="ounce.models"}': Counter(0, 1)},
        1, 2, 16,
    ),
    Fault("OunceRecordingStopped", {f"ounce_recording_stopped{{{TASK}}}": gauge(0, 1)}, 2, 5, 1),
    Fault(
        "OuncePoliciesDiffer",
        {
            f'ounce_policy_info{{version="v1",{W2}}}': gauge(1, "stale"),
            f'ounce_policy_info{{version="v2",{W2}}}': gauge("stale", 1),
        },
        11, 15, 1,
    ),
    Fault(
        "OunceCanaryStopped",
        {f'ounce_events_total{{kind="canary-stopped",{TASK}}}': Counter(0, 4)},
        1, 1, 17,
    ),
    Fault("OunceGatewayGone", {f"up{{{G}}}": gauge(1, 0)}, 2, 5, 1),
    Fault("OunceGatewayCutOff", {f"ounce_gateway_kafka_away{{{G}}}": gauge(0, 1)}, 3, 5, 1),
    Fault("OunceGatewayWithoutMqtt", {MQTT_AWAY: gauge(0, 1)}, 3, 5, 2),
    # Two of one name throw each other out.
    Fault("OunceGatewayWithoutMqtt", {MQTT_AWAY: lambda bad, i: float(bad and i % 2)}, 4, 6, 2),
    Fault("OunceGatewayNotReady", {f"ounce_gateway_ready{{{G}}}": gauge(1, 0)}, 3, 5, 1),
    Fault("OunceGatewayBacklogGrows", {STORED: ramp(100)}, 14, 16, 16),
    Fault("OunceGatewayBacklogAges", {AGE_S: ramp(15)}, 8, 12, 7),
    Fault(
        "OunceGatewayStoreFills", {f"ounce_gateway_stored_bytes{{{G}}}": gauge(0, 0.9e9)}, 1, 5, 1
    ),
    Fault("OunceGatewayStoreFails", {f"ounce_gateway_store_failing{{{G}}}": gauge(0, 1)}, 2, 5, 1),
    Fault("OunceGatewayDrops", {DROPPED: Counter(0, 40)}, 1, 2, 12),
    Fault("OunceGatewayRefuses", {REFUSED: Counter(1, 100)}, 7, 12, 7),
    Fault("OunceHttpGone", {f"up{{{H}}}": gauge(1, 0)}, 2, 5, 1),
    Fault("OunceHttpNotReady", {f"ounce_http_ready{{{H}}}": gauge(1, 0)}, 3, 5, 1),
    Fault("OunceHttpUnanswered", {LATE_CALLS: Counter(1, 100)}, 7, 12, 7),
]  # fmt: skip

BREACHES = {
    "OunceDeadlinesMissed": (f'ounce_deadline_misses_total{{model="mlp",{TASK}}}', 0.01),
    "OunceFloorsMissed": (f'ounce_floor_misses_total{{model="mlp",{TASK}}}', 0.01),
    "OunceAnswersFail": (MODEL_FAILED, 0.001),
}
STALE = {
    "OuncePolicyStale": f"ounce_policy_stale{{{W1}}}",
    "OunceModelsStale": f"ounce_models_refused{{{TASK}}}",
}
BURNT = [
    fault
    for alert, (series, budget) in BREACHES.items()
    for fault in (
        Fault(alert, {series: Counter(0, A_MINUTE)}, 10, 12, 46, "page"),
        # Before it there was an hour. What is missing of days counts as good.
        Fault(alert, {series: Counter(0, 50 * budget * A_MINUTE)}, 90, 95, 6 * 60 + 10, "ticket"),
    )
] + [
    fault
    for alert, series in STALE.items()
    for fault in (
        Fault(alert, {series: gauge(0, 1)}, 12, 16, 46, "page"),
        Fault(alert, {series: gauge(0, 1)}, 56, 60, 6 * 60 + 10, "ticket"),
    )
]

AWAY = {STALE["OuncePolicyStale"]: gauge(0, 1), f"ounce_ready{{{W1}}}": gauge(1, 0)}
"""Kafka is away, so the topic of policies is not read either."""

SOON = {
    "a model is ten times slower": "OunceModelSuspended",
    "the broker is gone": "OunceBrokerTakesNothing",
    "inputs drift": "OunceDrift",
    "the disk is full": "OunceRecordingStopped",
}
"""Faults that are told within two minutes from when a worker's page shows them."""

by_cause = Simulation(["recordings.yaml", "causes.yaml"], FLEET, 15, HEALTHY_MIN)
by_budget = Simulation(["recordings.yaml", "objectives.yaml"], FLEET, step_s=120, healthy_min=60)
new = Simulation(FILES, FLEET, step_s=15, healthy_min=1)

pytestmark = pytest.mark.prometheus


def alerts() -> set[str]:
    groups = [
        group for name in FILES for group in yaml.safe_load((RULES / name).read_text())["groups"]
    ]
    return {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}


def check_passes(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_fault() -> None:
    assert {fault.alert for fault in (*CAUSES, *BURNT)} == alerts()


def test_alerts_are_silent_for_an_hour_without_a_fault(tmp_path: Path) -> None:
    check_passes(by_cause.rest(60, tmp_path))


def test_alerts_tell_their_faults_alone(tmp_path: Path) -> None:
    check_passes(by_cause.run(CAUSES, tmp_path))


@pytest.mark.parametrize("alert", [*BREACHES, *STALE])
def test_alerts_of_an_objective_tell_its_faults(alert: str, tmp_path: Path) -> None:
    simulation = dataclasses.replace(by_budget, alert=alert)
    check_passes(simulation.run([fault for fault in BURNT if fault.alert == alert], tmp_path))


@pytest.mark.parametrize(
    ("broken", "a_minute", "lasts_min"),
    [(BREACHES, 40, 0.25), (["OunceDeadlinesMissed"], A_MINUTE, 0.75)],
    ids=["ten-of-each", "what-came-while-a-worker-restarted-is-late"],
)
def test_where_prometheus_is_new_nobody_is_told_of_little(
    broken: Iterable[str], a_minute: float, lasts_min: float, tmp_path: Path
) -> None:
    little = {BREACHES[alert][0]: Counter(0, a_minute) for alert in broken}
    check_passes(new.is_silent(little, 1, lasts_min, 40, tmp_path))


def test_where_prometheus_is_new_a_failure_of_all_is_told_as_soon_as_later(tmp_path: Path) -> None:
    late = {BREACHES["OunceDeadlinesMissed"][0]: Counter(0, A_MINUTE)}
    fault = Fault("OunceDeadlinesMissed", late, 10, 12, 60, "page")
    check_passes(dataclasses.replace(new, alert=fault.alert).run([fault], tmp_path))


def test_where_little_is_asked_few_broken_promises_tell_nobody(tmp_path: Path) -> None:
    little = {
        **{series: Counter() for series, _ in BREACHES.values()},
        ANSWERED: Counter(0.5, 0.5),
        BREACHES["OunceDeadlinesMissed"][0]: Counter(0, 0.5),
        SENT_BADLY: Counter(),
    }
    check_passes(by_budget.is_silent(little, 60, 16, 300, tmp_path))


@pytest.mark.parametrize("severity", ["page", "ticket"])
def test_where_kafka_is_away_nobody_is_told_of_the_policy(severity: str, tmp_path: Path) -> None:
    ready = f"ounce_ready{{{W1}}}"
    back_first = {**AWAY, ready: lambda is_away, step: int(not is_away or step >= 150)}
    faults = [
        Fault("OuncePolicyStale", AWAY, 60, 60, 60, severity, is_silent=True),
        # A worker that is ready again reads the policy a moment later.
        Fault("OuncePolicyStale", back_first, 60, 302, 60, severity, is_silent=True),
    ]
    check_passes(dataclasses.replace(by_budget, alert="OuncePolicyStale").run(faults, tmp_path))


def test_the_faults_that_hurt_most_are_told_within_two_minutes() -> None:
    within_min = {fault.alert: fault.within_min for fault in CAUSES}
    assert [within_min[alert] <= 2 for alert in SOON.values()] == [True] * len(SOON)
    # The simulation scrapes and evaluates no more often than the configuration that ships.
    config = yaml.safe_load((ROOT / "services" / "prometheus" / "prometheus.yml").read_text())
    seconds = [int(config["global"][f"{each}_interval"][:-1]) for each in ("scrape", "evaluation")]
    assert max(seconds) <= by_cause.step_s
