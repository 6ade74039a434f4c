"""What is wrong with a document, as one line for a person."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from ounce_schemas.names import (
    NAME_RULE,
    TASK_NAME_PATTERN,
    TOPIC_NAME_PATTERN,
    TOPIC_PREFIX_PATTERN,
    TOPIC_RULE,
)

_RULES = {
    TASK_NAME_PATTERN: NAME_RULE,
    TOPIC_NAME_PATTERN: TOPIC_RULE,
    TOPIC_PREFIX_PATTERN: TOPIC_RULE,
}
"""Patterns in words."""
LATER = "a later version of Ounce may have written it: upgrade the one that reads it"
_LOGIN = re.compile(r"//[^/@\s]+@")


def describe(error: ValidationError, kind: type[BaseModel] | None = None) -> str:
    """One line for a person: each field that is wrong, why, and the value given.

    Of an address the login is left out.

    Args:
        error: as pydantic raised it.
        kind: the document's type. With it, an unknown field is told with those that are known.
    """
    parts = []
    items = error.errors(include_url=False)
    for item in items:
        loc = item["loc"]
        # An entry that is wrong counts as none, so its list seems too short.
        if item["type"] == "too_short" and any(
            other["loc"][: len(loc)] == loc and len(other["loc"]) > len(loc) for other in items
        ):
            continue
        where = ".".join(map(str, loc)) + ": " if loc else ""
        if item["type"] == "extra_forbidden":
            parts.append(f"{where}unknown field{_meant(loc, kind)}")
            continue
        told = item["msg"].removeprefix("Value error, ")
        if item["type"] == "string_pattern_mismatch":
            told = _RULES.get(item["ctx"]["pattern"], told)
        # A whole document says nothing new.
        is_told = item["type"] != "missing" and not isinstance(item["input"], dict)
        value = _LOGIN.sub("//***@", str(item["input"]))
        given = f" (given: {value[:80]!r})" if is_told else ""
        parts.append(f"{where}{told}{given}")
    return "; ".join(parts)


def describe_made(error: ValidationError, kind: type[BaseModel] | None = None) -> str:
    """As `describe`, of what Ounce itself writes: a later version may have written it."""
    told = describe(error, kind)
    is_later = any(
        item["type"] == "extra_forbidden" or item["loc"][-1:] == ("schema_version",)
        for item in error.errors(include_url=False)
    )
    return f"{told}; {LATER}" if is_later else told


def _meant(loc: tuple[int | str, ...], kind: type[BaseModel] | None) -> str:
    known = [] if kind is None else _known_fields(kind.model_json_schema(), loc[:-1])
    if like := difflib.get_close_matches(str(loc[-1]), known, n=1):
        return f", did you mean {like[0]}?"
    return f", known are {', '.join(known)}" if known else ""


def _known_fields(schema: Mapping[str, Any], loc: tuple[int | str, ...]) -> list[str]:
    """Names of the fields at a place of a document; none where the schema tells no single type."""
    node = _resolved(schema, schema)
    for part in loc:
        if isinstance(part, int):
            step = node.get("items")
        else:
            step = node.get("properties", {}).get(part) or _any_other(node)
        if not isinstance(step, Mapping):
            return []
        node = _resolved(schema, step)
    return sorted(node.get("properties", {}))


def _any_other(node: Mapping[str, Any]) -> Any:
    """The schema of a mapping's values."""
    return next(iter(node.get("patternProperties", {}).values()), node.get("additionalProperties"))


def _resolved(schema: Mapping[str, Any], node: Mapping[str, Any]) -> Mapping[str, Any]:
    """A node behind its reference, or behind the one alternative that is not null."""
    alternatives = [a for a in node.get("anyOf", ()) if a.get("type") != "null"]
    if len(alternatives) == 1:
        node = alternatives[0]
    if "$ref" in node:
        return dict(schema["$defs"][node["$ref"].rsplit("/", 1)[1]])
    return node
