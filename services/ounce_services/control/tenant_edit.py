"""A tenant's editor changes the rules that are for that tenant alone, and nothing else."""

import re
from collections.abc import Sequence
from typing import Any

from ounce_schemas.documents import parse_policy
from ounce_schemas.errors import PolicyError
from ounce_schemas.policy import Policy
from ounce_schemas.policy_history import Change, PolicyVersion
from ounce_schemas.policy_rules import Rule, many

from ounce_services.control.access.principal import Principal
from ounce_services.control.errors import ForbiddenError, RefusedError, StaleError
from ounce_services.control.plane import Plane
from ounce_services.control.policy_book import Applied
from ounce_services.control.rules_text import with_rules
from ounce_services.control.tenancy import is_for

_RULE = re.compile(r"\brule ([a-z0-9][a-z0-9._-]*)")
"""A rule that a finding names, as the checks write it."""


def apply_edited(
    plane: Plane, caller: Principal, change: Change, base: int, force: bool = False
) -> Applied:
    """Put what a caller has edited in force, and note it in the audit log; see `document_of`."""
    with plane.audit.watch(caller, "policy.apply", f"based on {base}") as note:
        current = plane.policies.history().current
        document = document_of(change.document, caller, current, base)
        try:
            applied = plane.policies.apply(change._replace(document=document), base, force)
        except RefusedError as e:
            if caller.tenant is None or current is None:
                raise
            raise hidden_findings(e, current, caller.tenant) from e
        note(f"{applied.version.name} {applied.state}")
    return applied


def document_of(edited: str, caller: Principal, current: PolicyVersion | None, base: int) -> str:
    """The whole policy that is to be in force when a caller has edited what it sees.

    Args:
        edited: what the caller sent.
        caller: who asks; one who is bound to no tenant has edited all of it.
        current: the version in force.
        base: the version that was edited.

    Raises:
        ForbiddenError: it changes more than the rules of the caller's tenant, or a trial is under
            way.
        RefusedError: it is no policy.
        StaleError: another version is in force.
    """
    if caller.tenant is None:
        return edited
    if current is None:
        raise ForbiddenError("the first version of the policy is for all tenants")
    if current.number != base:
        raise StaleError(f"version {current.number} is in force, not {base}")
    if current.canary or current.shadow:
        raise ForbiddenError(f"{current.name} has a trial under way: wait for its end")
    try:
        rules = _merged(current.policy(), parse_policy(edited, "the policy"), caller.tenant)
        document = with_rules(current.document, rules)
        parse_policy(document, "the policy with the rules of all tenants")
    except PolicyError as e:
        raise RefusedError(str(e)) from e
    return document


def is_own(rule: Rule, tenant: str) -> bool:
    """Whether a rule is for messages of one tenant alone."""
    named = rule.when.tenant or rule.when.extensions.get("tenant")
    is_pattern = "*" in tenant or "?" in tenant
    return named is not None and not is_pattern and many(named) == (tenant,)


def hidden_findings(error: RefusedError, current: PolicyVersion, tenant: str) -> RefusedError:
    """The same error without what it says of rules for others."""
    hidden = {rule.name for rule in current.policy().rules if not is_for(rule, tenant)}
    shown = tuple(f for f in error.findings if hidden.isdisjoint(_RULE.findall(f)))
    return RefusedError(str(error), shown)


def _merged(whole: Policy, edited: Policy, tenant: str) -> Sequence[Rule]:
    """Rules of the whole policy, with those of a tenant as they were edited. They keep their places
    among the others.

    Raises:
        ForbiddenError: something else is changed.
    """
    if _but_rules(whole) != _but_rules(edited):
        raise ForbiddenError(f"only rules with `when: {{tenant: {tenant}}}` may be changed")
    seen = [rule for rule in whole.rules if is_for(rule, tenant)]
    kept = [rule for rule in seen if not is_own(rule, tenant)]
    if [r.model_dump() for r in kept] != [
        r.model_dump() for r in edited.rules if not is_own(r, tenant)
    ]:
        raise ForbiddenError(
            f"only rules with `when: {{tenant: {tenant}}}` may be changed, added or left out; the "
            "others stay as they are, in their order"
        )
    anchors = {rule.name for rule in kept}
    places = _gaps(edited.rules, anchors)
    merged: list[Rule] = []
    for gap, of_gap in zip(_gaps(whole.rules, anchors), places, strict=True):
        own, is_placed = [r for r in of_gap if r.name not in anchors], False
        for rule in gap:
            if is_own(rule, tenant):
                merged += [] if is_placed else own
                is_placed = True
            elif rule.name in anchors and not is_placed:
                merged += [*own, rule]
                is_placed = True
            else:
                merged.append(rule)
        merged += [] if is_placed else own
    return merged


def _gaps(rules: Sequence[Rule], anchors: set[str]) -> list[list[Rule]]:
    """Rules cut behind each anchor."""
    found: list[list[Rule]] = [[]]
    for rule in rules:
        found[-1].append(rule)
        if rule.name in anchors:
            found.append([])
    return found


def _but_rules(policy: Policy) -> dict[str, Any]:
    return policy.model_dump(exclude={"rules", "version"})
