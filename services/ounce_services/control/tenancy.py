"""What of a policy one tenant may see."""

import yaml
from ounce_schemas.documents import parse_policy
from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.policy_rules import Rule, many

from ounce_services.control.access.principal import Principal


def visible_document(document: str, caller: Principal) -> str:
    """A policy as its author wrote it; to one tenant, without rules for others and without
    comments.

    Raises:
        PolicyError: the document is none.
    """
    if caller.tenant is None:
        return document
    policy = parse_policy(document, "the policy")
    rules = tuple(rule for rule in policy.rules if is_for(rule, caller.tenant))
    shown = policy.model_copy(update={"rules": rules})
    return str(yaml.safe_dump(shown.model_dump(mode="json", exclude_unset=True), sort_keys=False))


def with_visible_note(version: PolicyVersion, caller: Principal) -> PolicyVersion:
    """A version with its note; to one tenant without: notes name others. Also to its author, whose
    name any tenant's administrator may give a key."""
    return version.model_copy(update={"note": visible_note(version.note, caller)})


def visible_note(note: str, caller: Principal) -> str:
    """The note of a version or release; to one tenant nothing."""
    return note if caller.tenant is None else ""


def is_for(rule: Rule, tenant: str) -> bool:
    """Whether a rule names a tenant, or none at all. One with a pattern names others too."""
    named = rule.when.tenant or rule.when.extensions.get("tenant")
    return named is None or tenant in many(named)
