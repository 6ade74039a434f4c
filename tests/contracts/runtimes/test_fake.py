"""The fake keeps what it stands for."""

from ounce_edge.models.runtimes.base import Runtime
from ounce_edge.models.runtimes.fake import FakeModel, FakeRuntime
from ounce_schemas.task import TaskSpec

from tests.contracts.runtimes.contract import ANSWERS, TASKS, RuntimeContract


class TestFakeRuntime(RuntimeContract):
    """Fakes that answer as the contract's models do."""

    def runtime(self) -> Runtime:
        return FakeRuntime({task.name: FakeModel(task, ANSWERS[task.name]) for task in TASKS})

    def content(self, task: TaskSpec) -> bytes:
        return b"a fake"
