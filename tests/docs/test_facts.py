"""What the pages say of settings, metrics, codes and files is what the code has."""

import json
import re
from enum import StrEnum
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ounce_edge.front.instruments import FrontInstruments
from ounce_edge.front.settings import HttpSettings
from ounce_edge.front.statuses import STATUSES
from ounce_edge.gateway.instruments import GatewayInstruments
from ounce_edge.gateway.settings import GatewaySettings
from ounce_edge.telemetry.metric_list import read_metrics
from ounce_edge.telemetry.metrics import Metrics
from ounce_edge.worker.settings.worker import WorkerSettings
from ounce_schemas.dead_letter import DEAD_LETTER_HEADERS
from ounce_schemas.documents import read_policy, read_topic_maps, read_topic_names
from ounce_schemas.errors import Reason
from ounce_schemas.event import EventKind
from ounce_schemas.kafka_connection import KafkaConnection
from ounce_schemas.label import Label, LabelOutcome
from ounce_schemas.policy import Policy, TaskPolicy
from ounce_schemas.policy_rules import Rule, When
from ounce_schemas.prediction import Decision
from ounce_schemas.routing import Choice, Fallback, Objective
from ounce_services.control.api.app import make_app
from ounce_services.control.plane import make_plane
from ounce_services.control.settings import ControlSettings
from prometheus_client import CollectorRegistry
from pydantic import SecretStr

from scripts.metrics_page import filled
from tests.docs.pages import DOCS, PAGES, README, ROOT, Found, fences, names, rows, spans

PACKAGES = {"ounce_schemas", "ounce_edge", "ounce_exporters", "ounce_services"}
KINDS = {"inputs": "request", "model_name": "prediction", "kind": "event"}
"""By a field that only documents of that kind have."""


def of_gateways() -> CollectorRegistry:
    registry = CollectorRegistry()
    GatewayInstruments(registry)
    return registry


def of_fronts() -> CollectorRegistry:
    registry = CollectorRegistry()
    FrontInstruments(registry)
    return registry


def metrics_of(registry: CollectorRegistry) -> dict[str, list[str]]:
    """Label names by metric, as Prometheus shows it."""
    found = {}
    for collector in registry._collector_to_names:
        for family in getattr(collector, "describe", list)():
            if family.name.startswith("ounce_"):
                labels = getattr(collector, "_labelnames", None)
                name = family.name + "_total" * (family.type == "counter")
                found[name] = list(collector._label_names if labels is None else labels)
    return found


@pytest.mark.parametrize(
    ("page", "registry"),
    [("metrics", Metrics().registry), ("gateway", of_gateways()), ("http", of_fronts())],
)
def test_every_metric_is_in_its_page_with_its_labels(
    page: str, registry: CollectorRegistry
) -> None:
    told = {
        row[0].strip("`"): [label for label in row[1].split(", ") if label]
        for row in rows(DOCS / f"{page}.md", "Metric")
    }
    assert told == metrics_of(registry)


def test_the_list_of_metrics_is_made_from_the_code() -> None:
    page = (DOCS / "metrics.md").read_text(encoding="utf-8")
    assert filled(page) == page
    assert filled(page.replace("| share |", "| % |", 1)) == page


def test_help_texts_have_no_markup() -> None:
    for metric in read_metrics():
        assert not set("[]`") & set(metric.help_text), metric.name
        assert not metric.help_text.endswith("."), metric.name


def test_every_fallback_is_in_the_row_of_its_metric() -> None:
    row = next(r for r in rows(DOCS / "metrics.md", "Metric") if "ounce_fallbacks_total" in r[0])
    fallbacks = {choice.removeprefix("fallback-") for choice in Choice if choice.is_fallback}
    assert set(re.findall(r"`([^`]+)`", row[3])) == fallbacks


def test_metrics_that_pages_name_exist() -> None:
    registries = (Metrics().registry, of_gateways(), of_fronts())
    known = {*PACKAGES, *(name for registry in registries for name in metrics_of(registry))}
    for page in PAGES:
        named = set(re.findall(r"\bounce_[a-z_]+", page.read_text(encoding="utf-8")))
        unknown = {n for n in named - known if re.sub("_(sum|count)$", "", n) not in known}
        assert unknown == set(), page


def options(settings: type[KafkaConnection]) -> dict[str, Any]:
    """Defaults by option; a secret by its variable."""
    found = {}
    for name, field in settings.model_fields.items():
        is_secret = SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))
        option = f"OUNCE_{name.upper()}" if is_secret else f"--{name.replace('_', '-')}"
        found[option] = "required" if field.is_required() else field.default
    return found


@pytest.mark.parametrize(
    ("settings", "page"),
    [(WorkerSettings, "deployment"), (GatewaySettings, "gateway"), (HttpSettings, "http")],
)
def test_every_setting_of_a_process_is_in_its_page_with_its_default(
    settings: type[KafkaConnection], page: str
) -> None:
    own = {o: d for o, d in options(settings).items() if o not in options(KafkaConnection)}
    table = {row[0].strip("`"): row[1].strip("`") for row in rows(DOCS / f"{page}.md", "Option")}
    assert table.keys() == own.keys()
    for option, default in own.items():
        if isinstance(default, bool):
            assert table[option] == str(default).lower(), option
        elif isinstance(default, tuple) and default:
            assert table[option] == " ".join(default), option
        elif default not in (None, ()):
            value = f"{default:.12g}" if isinstance(default, int | float) else str(default)
            assert table[option].replace(",", "") == value, option


def test_the_status_of_every_reason_is_in_the_page_on_http() -> None:
    told = {
        row[0]: set(re.findall(r"`([a-z-]+)`", row[1])) for row in rows(DOCS / "http.md", "Status")
    }
    named = {reason: int(status) for status, reasons in told.items() for reason in reasons}
    assert {str(reason): status for reason, status in STATUSES.items()} == {
        **dict.fromkeys(map(str, Reason), 422),
        **{reason: status for reason, status in named.items() if not reason.startswith("--")},
    }


def test_every_setting_and_path_of_the_control_plane_is_in_its_page(tmp_path: Path) -> None:
    page, connection = DOCS / "control.md", options(KafkaConnection)
    own = [option for option in options(ControlSettings) if option not in connection]
    assert sorted(names(page, "Option")) == sorted(own)
    plane = make_plane(ControlSettings(kafka="x", state=tmp_path / "state.db"))
    paths = make_app(plane).openapi()["paths"]
    plane.database.close()
    calls = [f"{method.upper()} {path}" for path in paths for method in paths[path]]
    assert sorted(names(page, "Call")) == sorted(calls)


def test_every_setting_of_the_connection_is_in_its_page() -> None:
    table = [n.replace("--no-", "--") for n in names(DOCS / "security.md", "Option")]
    assert sorted(table) == sorted(options(KafkaConnection))


@pytest.mark.parametrize(
    ("page", "heading", "values"),
    [
        ("dead-letters", "Reason", Reason),
        ("labels-and-events", "Outcome", LabelOutcome),
        ("labels-and-events", "Kind", EventKind),
        ("requests", "Reason", Choice),
    ],
)
def test_every_code_is_in_its_page(page: str, heading: str, values: type[StrEnum]) -> None:
    assert sorted(names(DOCS / f"{page}.md", heading)) == sorted(values)


def test_events_that_ask_for_nothing_are_no_warnings() -> None:
    found = rows(DOCS / "labels-and-events.md", "Kind")
    good = sorted(row[0].strip("`") for row in found if row[2] == "Nothing.")
    assert good == sorted(kind for kind in EventKind if kind.is_good)


def test_every_field_and_value_of_a_policy_is_in_its_page() -> None:
    documents = (Policy, TaskPolicy, Rule, When)
    fields = {field for document in documents for field in document.model_fields}
    assert set(names(DOCS / "policies.md", "Field")) == fields
    assert sorted(names(DOCS / "policies.md", "Value")) == sorted([*Fallback, *Objective])


def test_every_field_of_an_answer_and_of_a_label_is_in_its_page() -> None:
    assert sorted(names(DOCS / "requests.md", "Parameter")) == sorted(Decision.__struct_fields__)
    assert names(DOCS / "labels-and-events.md", "Field") == [*Label.__struct_fields__]


def test_every_header_of_a_dead_letter_is_in_its_page() -> None:
    assert names(DOCS / "dead-letters.md", "Header") == [*DEAD_LETTER_HEADERS]


@pytest.mark.parametrize("found", [*fences("json")], ids=str)
def test_a_json_example_is_what_its_schema_takes(found: Found) -> None:
    document = json.loads(found.text)
    kind = next((kind for field, kind in KINDS.items() if field in document), "label")
    schema = json.loads((ROOT / "schemas" / "generated" / f"{kind}.schema.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(document)


@pytest.mark.parametrize("found", [*fences("yaml")], ids=str)
def test_a_yaml_example_is_a_file_that_is_read(found: Found, tmp_path: Path) -> None:
    path = tmp_path / "document.yaml"
    path.write_text(found.text)
    if found.text.startswith("maps:"):
        assert read_topic_maps(path).maps
    elif "requests:" in found.text:
        assert read_topic_names(path).tasks
    else:
        assert read_policy(path).version != "built-in"


def test_files_that_pages_name_exist() -> None:
    rooms = ROOT / "edge" / "ounce_edge"
    folders = {p.name for parent in (ROOT, rooms) for p in parent.iterdir() if p.is_dir()}
    seen = 0
    for found in spans():
        first, slash, _ = found.text.partition("/")
        if slash and first in folders and re.fullmatch(r"[\w./-]+", found.text):
            if found.text.startswith(("models/", "results/", "tables/")):  # made by the reader
                continue
            assert (ROOT / found.text).exists() or (rooms / found.text).exists(), str(found)
            seen += 1
    assert seen > 20


def test_links_of_the_readme_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert len(links) > 10
    assert [link for link in links if "://" not in link and not (ROOT / link).exists()] == []


def test_the_readme_is_short_and_names_every_page() -> None:
    text = README.read_text(encoding="utf-8")
    assert len(text.encode()) <= 8000
    assert len(re.findall(r"!\[", text)) == 1
    pages = {str(page.relative_to(ROOT)) for page in PAGES} - {"README.md", "docs/index.md"}
    assert pages - set(re.findall(r"\((docs/[^)]+\.md)\)", text)) == set()


def test_words_mean_the_same_in_the_readme_and_on_the_first_page() -> None:
    first_page = [
        [re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", cell) for cell in row]
        for row in rows(DOCS / "index.md", "Word")
    ]
    assert rows(README, "Word") == first_page != []


def test_pages_tell_no_history() -> None:
    words = r"\b(no longer|any ?more|earlier version|previously|formerly|has been mended)\b"
    found = {str(page): re.findall(words, page.read_text(encoding="utf-8")) for page in PAGES}
    assert {page: words for page, words in found.items() if words} == {}
