"""A model on trial is two policies: one that denies it, and one that does not."""

from typing import Any, NamedTuple

import yaml


class Sides(NamedTuple):
    """The policies of a canary."""

    others: str
    on_trial: str


def sides_of(document: str, name: str) -> Sides:
    """The two policies of a model on trial.

    Args:
        document: the policy in force as YAML; valid.
        name: TASK/MODEL.
    """
    task, _, model = name.partition("/")
    return Sides(without_model(document, task, model), with_model(document, task, model))


def without_model(document: str, task: str, model: str) -> str:
    """The policy that denies a task's model; as it is where it does so already.

    Args:
        document: a policy as YAML; valid.
        task: name of the task.
        model: name of the model.
    """
    policy, own, denied = _parts(document, task)
    if model in denied:
        return document
    own["deny"] = [*denied, model]
    return _text(policy)


def with_model(document: str, task: str, model: str) -> str:
    """The policy that does not deny a task's model; arguments as in `without_model`."""
    policy, own, denied = _parts(document, task)
    if model not in denied:
        return document
    own["deny"] = [name for name in denied if name != model]
    return _text(policy)


def _parts(document: str, task: str) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
    policy = yaml.safe_load(document) or {}
    own = policy.setdefault("tasks", {}).setdefault(task, {})
    return policy, own, own.get("deny") or []


def _text(policy: dict[str, Any]) -> str:
    return yaml.safe_dump(policy, sort_keys=False, allow_unicode=True)
