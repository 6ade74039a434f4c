"""Replaying recorded decisions, and saying how far it is."""

from collections.abc import Callable, Mapping, Sequence

from ounce_schemas.errors import ArtifactError
from ounce_schemas.policy import Policy

from ounce_edge.dry_run.foresight import Foresight
from ounce_edge.dry_run.recorded import Recording, require_task
from ounce_edge.dry_run.replay import Replay


def replay_recorded(
    policy: Policy,
    recording: Recording,
    tasks: Sequence[str] = (),
    progress: Callable[[str, int], None] = lambda task, n: None,
) -> Mapping[str, Foresight]:
    """What a policy would change for each task.

    Args:
        policy: the other policy.
        recording: of decisions.
        tasks: names of the tasks; empty: all that are there.
        progress: called with a task and its messages so far, after each log.

    Raises:
        ArtifactError: there are no decisions that can be used.
        PolicyError: the policy leaves messages without a plan.
    """
    found = {}
    for task in tasks or recording.tasks():
        replay = Replay(policy, task)
        for header, decisions in recording.read(task):
            replay.run(header, decisions)
            progress(task, replay.foresight().before.n)
        found[task] = replay.foresight()
        if not found[task].before.n:
            require_task(recording, task)
            raise ArtifactError(
                f"{recording}: no decisions of task {task} that can be replayed: record them with "
                "`ounce worker --decisions` of this version"
            )
    return found
