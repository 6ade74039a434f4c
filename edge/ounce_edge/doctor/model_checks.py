"""Do the models load, are they those of their cards, and is the policy one for them."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

from ounce_schemas.documents import read_policy
from ounce_schemas.errors import OunceError
from ounce_schemas.topics import models_topic

from ounce_edge.doctor.finding import Finding, Verdict
from ounce_edge.models.catalogue import Ladder, Trial, load_ladder
from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.worker.settings.worker import WorkerSettings


class ModelChecks:
    """Loads every ladder as a worker does: digests, signatures, a trial run.

    Args:
        settings: of the worker.
        runtime: loads the models.
        first_trial: makes what tries each of them before it is loaded.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        runtime: Runtime,
        first_trial: Callable[[], AbstractContextManager[Trial | None]] = nullcontext,
    ) -> None:
        self._settings = settings
        self._runtime = runtime
        self._first_trial = first_trial
        self.memory_mb: float | None = None
        """What loading the models took; None before the check, or where none was loaded."""

    def check(self) -> Iterator[Finding]:
        """The models of each task, and the policy's file."""
        if self._settings.models_store is None:
            for task in self._settings.task:
                yield self._check_task(task)
        else:
            text = f"the store serves what {models_topic()} names"
            advice = "`ounce models list` shows it"
            yield Finding("models", Verdict.SKIPPED, text, advice)
        if self._settings.policy is not None:
            yield self._check_policy()

    def _check_task(self, task: str) -> Finding:
        check = f"models of {task}"
        try:
            with self._first_trial() as trial:
                ladder = load_ladder(self._settings.models, task, self._runtime, first_trial=trial)
        except OunceError as e:
            return Finding(check, Verdict.FAILURE, str(e), "train or copy the ladder again")
        mb = sum(served.memory_bytes for served in ladder.models) / 1e6
        self.memory_mb = (self.memory_mb or 0.0) + mb
        return _judge(check, ladder, mb)

    def _check_policy(self) -> Finding:
        assert self._settings.policy is not None
        try:
            policy = read_policy(self._settings.policy)
        except OunceError as e:
            return Finding("policy", Verdict.FAILURE, str(e), "correct it: `ounce policy check`")
        unserved = sorted(set(policy.tasks) - set(self._settings.task))
        if unserved:
            text = f"{policy.version} also names tasks that this worker does not serve"
            advice = f"nothing to do, if others serve {', '.join(unserved)}"
            return Finding("policy", Verdict.WARNING, text, advice)
        return Finding("policy", Verdict.OK, f"{policy.version} can be read")


def _judge(check: str, ladder: Ladder, mb: float) -> Finding:
    text = f"{len(ladder.models)} of catalogue {ladder.version} load and run, {mb:,.0f} MB"
    if ladder.refused:
        refused = "; ".join(ladder.refused)
        advice = "copy those models again, or train them anew: the files are not what they were"
        return Finding(check, Verdict.FAILURE, f"{text}; refused: {refused}", advice)
    if not ladder.plans:
        return Finding(check, Verdict.WARNING, f"{text}; no plans", "train it to have cascades")
    return Finding(check, Verdict.OK, text)
