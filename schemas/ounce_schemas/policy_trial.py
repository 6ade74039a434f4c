"""What holds while a policy is on trial: a share of the devices has it, all others the one before.

The two are put together as rules, so that whatever serves under rules serves a canary, too.
"""

from ounce_schemas.documents import parse_policy
from ounce_schemas.policy import DeviceShare, EffectivePolicy, EffectiveRule
from ounce_schemas.policy_history import PolicyVersion
from ounce_schemas.policy_rules import When

CANARY_RULE = "canary"


def canary_name(version: PolicyVersion) -> str:
    """What answers and metrics call the policy that a version has on trial."""
    return f"{version.name}-canary"


def shadow_name(version: PolicyVersion) -> str:
    """What answers call the policy of a version's shadow."""
    return f"{version.name}-shadow"


def shadow_policy(version: PolicyVersion, task: str) -> EffectivePolicy | None:
    """The rules of the shadow that a version has for a task; None: it has none.

    Raises:
        PolicyError: the document is no policy.
    """
    shadow = version.shadow
    if shadow is None or task not in shadow.tasks:
        return None
    document = parse_policy(shadow.document, f"the shadow of {version.name}")
    return document.model_copy(update={"version": shadow_name(version)}).for_task(task)


def policy_in_force(version: PolicyVersion, task: str, runs_canary: bool) -> EffectivePolicy:
    """The rules of one task under a version of the policy.

    Args:
        version: of the policy.
        task: name of the task.
        runs_canary: whether a share of the devices has what the version has on trial.

    Raises:
        PolicyError: a document is no policy.
    """
    baseline = version.policy().for_task(task)
    if version.canary is None or not runs_canary:
        return baseline
    document = parse_policy(version.canary.document, f"the canary of {version.name}")
    if document.model_copy(update={"version": version.name}).for_task(task) == baseline:
        return baseline  # nothing of this task is on trial
    canary = document.model_copy(update={"version": canary_name(version)}).for_task(task)
    devices = DeviceShare(share=version.canary.share, salt=version.id)
    rest = EffectiveRule(
        name=CANARY_RULE, when=When(task=task), policy=canary.model_copy(update={"rules": ()})
    )
    rules = [rule.model_copy(update={"devices": devices}) for rule in (*canary.rules, rest)]
    return baseline.model_copy(update={"rules": (*rules, *baseline.rules)})
