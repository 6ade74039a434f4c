"""Everything that can be set of a gateway."""

import socket
from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from ounce_schemas.documents import read_topic_maps
from ounce_schemas.errors import OunceError
from ounce_schemas.task import TaskName
from ounce_schemas.topic_maps import MapKind
from pydantic import Field, PrivateAttr, SecretStr, field_validator, model_validator

from ounce_edge.gateway.bounds import DropFirst
from ounce_edge.gateway.forwarding import Order
from ounce_edge.gateway.maps import TopicMap, TopicMaps, check_maps
from ounce_edge.gateway.patterns import DEVICE, Pattern
from ounce_edge.worker.settings.process import Port, ProcessSettings

_PORTS = {"mqtt": 1883, "mqtts": 8883}


class GatewaySettings(ProcessSettings):
    """Settings of `ounce gateway`. Passed in at the top, never read deep inside."""

    map: tuple[str, ...] = Field(
        default=(),
        description="Topics to listen to: PATTERN or PATTERN=TASK; the levels +device and +task "
        "name the device and the task, + is any level, # the rest; repeat for several",
    )
    labels: tuple[str, ...] = Field(
        default=(), description="Topics of labels, as --map; repeat for several"
    )
    maps: Path | None = Field(
        default=None, description="YAML file of maps, beside or instead of --map and --labels"
    )
    mqtt: str = Field(
        default="mqtt://localhost:1883", description="MQTT broker, mqtt://HOST[:PORT]; mqtts: TLS"
    )
    answers: str = Field(
        default="answers/+device/+task",
        min_length=1,
        description="Topic of the answers to a device that names no response topic",
    )
    reply_to: tuple[str, ...] = Field(
        default=("answers/+device/#",),
        description="Response topics that a device may name; +device and +task stand for its own; "
        "repeat for several",
    )
    name: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Name of this gateway, stable over restarts and unique among those of one MQTT "
        "broker; default: the host's name",
    )
    group: str | None = Field(
        default=None,
        min_length=1,
        max_length=100,
        pattern=r"^[A-Za-z0-9._-]+$",
        description="Gateways of one MQTT broker that share its messages and their answers; "
        "default: the gateway's name, which is a group of its own",
    )
    mqtt_version: Literal["5", "3.1.1"] = Field(default="5", description="Version of MQTT to speak")
    mqtt_username: str | None = Field(default=None, min_length=1, description="User to log in as")
    mqtt_password: SecretStr | None = Field(default=None, description="Password of --mqtt-username")
    mqtt_password_file: Path | None = Field(default=None, description="File that holds it")
    mqtt_ca: Path | None = Field(
        default=None,
        description="PEM file of the authorities that may sign the MQTT broker's certificate; "
        "without it the system's",
    )
    mqtt_certificate: Path | None = Field(
        default=None, description="PEM file of this client's certificate, for mutual TLS"
    )
    mqtt_key: Path | None = Field(default=None, description="PEM file of its private key")
    mqtt_window: int = Field(
        default=1000,
        ge=1,
        le=65_535,
        description="Most messages of QoS 1 that MQTT may send ahead of their acknowledgements",
    )
    max_message_bytes: int = Field(
        default=1_000_000,
        ge=10_000,
        le=1_000_000_000,
        description="Bytes of one record that the topics of requests take; a larger message "
        "becomes a dead letter without its value",
    )
    max_waiting_mb: float = Field(
        default=64.0,
        gt=0,
        le=100_000,
        description="Megabytes of messages that may wait in memory; beyond, MQTT is not read",
    )
    store: Path = Field(
        default=Path("gateway-store/store.db"),
        description="File that keeps what waits for Kafka; of this gateway alone",
    )
    max_store_mb: float = Field(
        default=1000.0, gt=0, le=10_000_000, description="Megabytes that may wait there"
    )
    max_store_h: float = Field(
        default=168.0,
        gt=0,
        le=100_000,
        description="Hours that a message may wait there, while the gateway runs",
    )
    drop_first: DropFirst = Field(
        default=DropFirst.OLDEST,
        description="What is dropped where the store is full: oldest, or least-urgent, those with "
        "the longest deadline in a header, or none",
    )
    order: Order = Field(
        default=Order.DEVICE,
        description="device: a device's new message goes behind its stored ones, and they go "
        "before those of others; live: it passes them",
    )
    device_per_s: float = Field(
        default=1000.0,
        gt=0,
        le=1_000_000,
        description="Messages of one device to send at once, a second; what is beyond is stored, "
        "and follows beside what is live",
    )
    backlog_per_s: float = Field(
        default=5000.0,
        gt=0,
        le=1_000_000,
        description="Most stored messages to send a second, beside what is live",
    )
    patience_s: float = Field(
        default=1.0,
        gt=0,
        le=3600,
        description="Seconds that Kafka may leave a message unconfirmed; then messages are stored",
    )
    local: tuple[TaskName, ...] = Field(
        default=(),
        description="Task to answer here while Kafka is away; repeat for several",
    )
    models: Path = Field(
        default=Path("models"),
        description="With --local: folder that `ounce train` writes",
    )
    policy: Path | None = Field(
        default=None,
        description="With --local: routing policy, YAML or JSON; without one: 100 ms, accuracy "
        "0.9, most-accurate-in-time",
    )
    metrics_port: Port = 9465

    _login: str | None = PrivateAttr(default=None)
    _maps: tuple[TopicMap, ...] = PrivateAttr(default=())

    @property
    def own_name(self) -> str:
        """The name, or the host's where none is set."""
        return self.name or socket.gethostname()

    @property
    def own_group(self) -> str:
        """The group, or the name where none is set."""
        return self.group or self.own_name

    @property
    def topic_maps(self) -> TopicMaps:
        """What topics mean."""
        return TopicMaps(self._maps, self.task)

    @property
    def mqtt_address(self) -> tuple[str, int, bool]:
        """Host, port, and whether the connection is TLS."""
        url = urlsplit(self.mqtt)
        return url.hostname or "", url.port or _PORTS[url.scheme], url.scheme == "mqtts"

    @property
    def mqtt_login(self) -> str | None:
        """The password; not for logs."""
        return self._login

    @field_validator("mqtt")
    @classmethod
    def _is_url(cls, mqtt: str) -> str:
        try:
            url = urlsplit(mqtt)
            is_good = url.scheme in _PORTS and url.hostname and url.port != 0
        except ValueError:
            is_good = False
        if not is_good or url.path or url.username or url.query:
            raise ValueError("write mqtt://HOST[:PORT], or mqtts://HOST[:PORT] for TLS")
        return mqtt

    @field_validator("answers")
    @classmethod
    def _names_one_topic(cls, answers: str) -> str:
        levels = Pattern.parse(answers).levels
        if DEVICE not in levels or {"+", "#"} & {*levels}:
            raise ValueError(f"{answers!r}: needs a level {DEVICE}, and no + or # alone")
        return answers

    @field_validator("reply_to")
    @classmethod
    def _are_patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for text in patterns:
            Pattern.parse(text)
        return patterns

    @model_validator(mode="after")
    def _local_is_served(self) -> Self:
        for task in self.local:
            if task not in self.task:
                raise ValueError(f"--local {task} needs --task {task}")
        return self

    @model_validator(mode="after")
    def _maps_fit_together(self) -> Self:
        maps = [TopicMap.parse(text) for text in self.map]
        maps += [TopicMap.parse(text, MapKind.LABELS) for text in self.labels]
        if self.maps is not None:
            try:
                rules = read_topic_maps(self.maps).maps
            except OunceError as e:
                raise ValueError(f"--maps {e}") from e
            maps += [TopicMap.of_rule(r, f"{self.maps}: maps.{i}") for i, r in enumerate(rules)]
        check_maps(maps, self.task, Pattern.parse(self.answers))
        self._maps = tuple(maps)
        return self

    @model_validator(mode="after")
    def _mqtt_fits_together(self) -> Self:
        secret = self._read("mqtt_password")
        self._login = None if secret is None else secret.get_secret_value()
        if secret is not None and self.mqtt_username is None:
            raise ValueError("a password of MQTT needs --mqtt-username")
        if not self.mqtt.startswith("mqtts:"):
            self._refuse(("mqtt_ca", "mqtt_certificate", "mqtt_key"), "--mqtt mqtts://HOST")
        if (self.mqtt_certificate is None) != (self.mqtt_key is None):
            raise ValueError("--mqtt-certificate and --mqtt-key go together")
        return self

    @field_validator("mqtt_ca", "mqtt_certificate", "mqtt_key")
    @classmethod
    def _mqtt_file(cls, path: Path | None) -> Path | None:
        return cls._readable(path)
