"""What answers one task: its ladder and policy, and all that is made of the two."""

import copy
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Self

from ounce_schemas.event import EventKind
from ounce_schemas.policy import EffectivePolicy
from ounce_schemas.policy_matching import RuleMatcher
from ounce_schemas.task import TaskSpec

from ounce_edge.evidence.decision_entry import FORMAT, LogHeader
from ounce_edge.evidence.incidents import Incident
from ounce_edge.evidence.logged_route import LoggedRoute
from ounce_edge.evidence.model_watch import ModelWatch
from ounce_edge.models.catalogue import Ladder, ServedModel
from ounce_edge.models.cpu_and_gpu import released_name
from ounce_edge.models.first_beliefs import FirstBelief, measured_belief
from ounce_edge.models.planning import make_plans
from ounce_edge.models.routes import make_routes
from ounce_edge.recommender.beliefs.plans import Model
from ounce_edge.wire.answers.encoding import Encoder
from ounce_edge.wire.formats.image_file import PixelReader, read_pixels
from ounce_edge.wire.formats.schemas import Schemas
from ounce_edge.wire.requests.decoding import Decoder


class Edition:
    """One value that a pipeline replaces between two batches. Jobs under way keep theirs.

    Args:
        ladder: the task and its verified models and plans.
        policy: the rules for this task.
        first_belief: gives the first belief of a model's latency.
        watts: power that a model draws while it runs; where it is not measured, the policy's.
        schemas: of framed bodies; None: only those of JSON are read.
        pixels: reads image files.

    Raises:
        PolicyError: the policy permits none of the ladder's models, or names one it lacks.
    """

    def __init__(
        self,
        ladder: Ladder,
        policy: EffectivePolicy,
        first_belief: FirstBelief = measured_belief,
        watts: Callable[[ServedModel], float | None] = lambda model: None,
        schemas: Schemas | None = None,
        pixels: PixelReader = read_pixels,
    ) -> None:
        self.ladder = ladder
        self.schemas, self.pixels = schemas, pixels
        self.plans, self.models = make_plans(ladder, policy, first_belief, watts)
        self.released_names = [released_name(m) for m in self.models]
        """By model: what releases call it."""
        versions = [m.card.version for m in self.models]
        released = list(zip(self.released_names, versions, strict=True))
        self.watch = ModelWatch(self.plans, ladder.task.name, released)
        self.plan_keys: Sequence[Hashable] = [
            (plan.name, *((self.models[s.model].card.sha256, s.threshold) for s in plan.steps))
            for plan in self.plans.plans
        ]
        """By plan: equal in two editions where the plan is the same and runs the same files."""
        self._obey(policy)

    def _obey(self, policy: EffectivePolicy) -> None:
        self.policy = policy
        routes = make_routes(self.ladder, policy, self.plans)
        self.routes = routes.routes
        """Who may answer which messages; the first is that of messages which meet no rule."""
        self.matcher = RuleMatcher(policy)
        self.n_plain_routes = sum(route.plain is None for route in self.routes)
        """Routes that answer without explanations; they stand before the others."""
        numbers = routes.of_settings, routes.explaining
        self.decoder = Decoder(self.task, policy, self.matcher, numbers, self.schemas, self.pixels)
        self.encoder = Encoder(self.task, self.ladder.version, policy.answer)
        self.priorities = sorted({route.routing.priority for route in self.routes})
        """Of messages, ascending."""
        self.permitted = routes.permitted
        """Plans that may answer some messages, ascending."""
        self.promised_floors = [
            max(self.plans[p].accuracy.low for p in route.permitted) for route in self.routes
        ]
        """By route: the highest accuracy floor that a plan of it met on validation data."""

    def under(self, policy: EffectivePolicy) -> Self:
        """The same models and what is believed of them, under another policy.

        Raises:
            PolicyError: the policy permits none of the ladder's models, or names one it lacks.
        """
        other = copy.copy(self)
        other._obey(policy)
        return other

    def inherit(self, before: "Edition") -> None:
        """Go on with what is believed of the models and plans that another edition has too."""
        if self.plans is before.plans:
            return
        models, plans = _places(before.model_keys), _places(before.plan_keys)
        same_models = {i: models[key] for i, key in enumerate(self.model_keys) if key in models}
        same_plans = {p: plans[key] for p, key in enumerate(self.plan_keys) if key in plans}
        self.plans.inherit(before.plans, same_models, same_plans)
        self.watch.inherit(before.watch, same_models, same_plans)

    @property
    def model_keys(self) -> Sequence[Hashable]:
        """By model: equal in two editions where name and file are the same."""
        return [(m.card.model, m.card.sha256) for m in self.models]

    @property
    def task(self) -> TaskSpec:
        """What it answers."""
        return self.ladder.task

    def unmet_floor(self) -> Incident | None:
        """That no plan was sure, on validation data, to meet the floor of messages that name none;
        None where one was."""
        floor, best = self.policy.min_accuracy, self.promised_floors[0]
        if best >= floor:
            return None
        measure = self.task.measure
        what = "accuracy" if measure.is_plain else str(measure)
        proposed = math.floor(best * 100) / 100
        text = (
            f"no plan is sure to reach the policy's floor of {floor:g} ({what}): the best is sure "
            f"of {best:.4f}, so every message that names no floor gets a fallback; set "
            f"min_accuracy of task {self.task.name} to {proposed:g} or less in the policy"
        )
        return Incident(EventKind.FLOOR_UNREACHABLE, f"{floor:g}", text)

    def log_header(self) -> LogHeader:
        """What decisions of this edition have in common."""
        return LogHeader(
            FORMAT,
            self.task.name,
            self.policy.version,
            self.ladder.version,
            self.policy.fallback,
            self.plans.tables,
            [
                LoggedRoute(
                    r.permitted,
                    r.routing.objective,
                    r.routing.fallback,
                    r.routing.exploration,
                    r.plain is not None,
                )
                for r in self.routes
            ],
            [(m.card.model, m.card.family) for m in self.models],
            str(self.task.measure),
            [m.runtime for m in self.models],
            self.plans.explained_tables if self.plans.explaining else None,
        )


def successor(
    before: Edition,
    ladder: Ladder,
    policy: EffectivePolicy,
    watts: Callable[[ServedModel], float | None],
) -> Edition:
    """An edition of another ladder. Models that stay keep the latency that was learned of them.

    Args:
        before: what it is to replace.
        ladder: as in `Edition`, like the other arguments.
        policy: likewise.
        watts: asked for models that `before` has not.

    Raises:
        PolicyError: as `Edition` says.
    """
    known = dict(zip(before.model_keys, before.plans.models, strict=True))

    def of(served: ServedModel) -> Model | None:
        return known.get((served.card.model, served.card.sha256))

    return Edition(
        ladder,
        policy,
        lambda served: model.latency if (model := of(served)) else measured_belief(served),
        lambda served: model.watts if (model := of(served)) else watts(served),
        before.schemas,
        before.pixels,
    )


def _places(keys: Sequence[Hashable]) -> Mapping[Hashable, int]:
    return {key: i for i, key in enumerate(keys)}
