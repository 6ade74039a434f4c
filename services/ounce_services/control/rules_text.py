"""Other rules in the text of a policy, with its comments and all else as its author wrote it."""

from collections.abc import Sequence
from typing import Any

import yaml
from ounce_schemas.documents import parse_policy
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy_rules import Rule


def with_rules(document: str, rules: Sequence[Rule]) -> str:
    """A policy with other rules. Comments stay where the rules are a list of one rule a paragraph,
    as people write them; else the policy is written anew.

    Raises:
        PolicyError: the document is none.
    """
    policy = parse_policy(document, "the policy")
    wanted = policy.model_copy(update={"rules": tuple(rules)})
    for text in _with_comments(document, policy.rules, rules):
        try:
            if parse_policy(text, "the policy").model_dump() == wanted.model_dump():
                return text
        except PolicyError:
            continue
    return _dumped(wanted.model_dump(mode="json", exclude_unset=True))


def _with_comments(document: str, before: Sequence[Rule], after: Sequence[Rule]) -> Sequence[str]:
    """The text, or none where it can't be told which lines are of which rule."""
    if not document.endswith("\n"):
        document += "\n"
    lines = document.splitlines(keepends=True)
    root = yaml.compose(document, yaml.SafeLoader)
    pairs = root.value if isinstance(root, yaml.MappingNode) and not root.flow_style else []
    found = next((value for key, value in pairs if key.value == "rules"), None)
    if found is None:
        return [document + _dumped({"rules": [_plain(rule) for rule in after]})] if pairs else []
    if not isinstance(found, yaml.SequenceNode) or found.flow_style:
        return []
    starts = [_dash(lines, item.start_mark.line) for item in found.value]
    ends = [*starts[1:], found.end_mark.line]
    indent = " " * found.start_mark.column
    head, lead = "".join(lines[: starts[0]]), ""
    bodies: dict[str, str] = {}
    leads: dict[str, str] = {}
    for rule, start, end in zip(before, starts, ends, strict=True):
        stop = end
        while stop > start + 1 and lines[stop - 1].lstrip()[:1] in ("#", ""):
            stop -= 1
        leads[rule.name], bodies[rule.name] = lead, "".join(lines[start:stop])
        lead = "".join(lines[stop:end])  # a comment is of what comes next
    tail = lead + "".join(lines[ends[-1] :])
    known = {rule.name: rule.model_dump() for rule in before}
    parts = [
        leads.get(rule.name, "") + bodies[rule.name]
        if known.get(rule.name) == rule.model_dump()
        else leads.get(rule.name, "") + _indented(_dumped([_plain(rule)]), indent)
        for rule in after
    ]
    return [head + "".join(parts) + tail] if parts else []


def _dash(lines: Sequence[str], line: int) -> int:
    """The line where an item begins."""
    while line and not lines[line].lstrip().startswith("-"):
        line -= 1
    return line


def _plain(rule: Rule) -> dict[str, Any]:
    """As people write it: which messages first, then what holds for them."""
    said = rule.model_dump(mode="json", exclude_unset=True)
    first = [name for name in ("name", "note", "when") if name in said]
    return {name: said[name] for name in dict.fromkeys([*first, *said])}


def _indented(text: str, indent: str) -> str:
    return "".join(indent + line for line in text.splitlines(keepends=True))


def _dumped(value: object) -> str:
    return str(yaml.safe_dump(value, sort_keys=False, allow_unicode=True))
