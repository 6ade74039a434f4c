"""The file of a ladder's plans, as far as it is about the models that serve."""

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

from ounce_schemas.card import ModelCard
from ounce_schemas.documents import read_plans
from ounce_schemas.errors import ArtifactError
from ounce_schemas.plans import PlanProfile
from ounce_schemas.task import TaskSpec

logger = logging.getLogger(__name__)


def load_plans(path: Path, task: TaskSpec, cards: Sequence[ModelCard]) -> list[PlanProfile]:
    """Plans whose every model serves, as the file that was planned with. Others, and a file that
    can't be used, are named in the log: single models serve all the same.

    Args:
        path: the file.
        task: that is served.
        cards: of the models that serve.
    """
    if not path.is_file():
        logger.warning("no plans task=%s: no %s; cascades and shifts are off", task.name, path)
        return []
    try:
        document = read_plans(path)
    except ArtifactError as e:
        logger.error("plans refused task=%s reason=%s", task.name, e)
        return []
    if document.task != task.name:
        logger.error("plans refused task=%s reason=they are of %s", task.name, document.task)
        return []
    if document.measure != task.measure:
        logger.error("plans refused task=%s reason=they promise %s", task.name, document.measure)
        return []
    digests = {card.model: card.sha256 for card in cards}
    whole = [p for p in document.plans if all(s.model in digests for s in p.steps)]
    without = [p.name for p in document.plans if p not in whole]
    if without:
        text = "plans left out, since a model of theirs does not serve task=%s plans=%s"
        logger.info(text, task.name, ",".join(without))
    return [plan for plan in whole if _fits(plan, task, digests)]


def _fits(plan: PlanProfile, task: TaskSpec, digests: Mapping[str, str]) -> bool:
    """Whether it was planned with these models and labels; else the log says why it can't serve."""
    other = [s.model for s in plan.steps if digests[s.model] != s.sha256]
    labels = [c.label for c in plan.classes]
    if other:
        why = f"planned with another {', '.join(other)} than serves; publish the whole ladder"
    elif labels and labels != list(task.labels):
        why = "its classes are not the task's labels"
    else:
        return True
    logger.error("plan refused task=%s plan=%s reason=%s", task.name, plan.name, why)
    return False
