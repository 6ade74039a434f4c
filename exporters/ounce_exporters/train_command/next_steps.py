"""What a person does with a new ladder: four commands, and a request to send."""

import shlex
from pathlib import Path

from ounce_schemas.wording import shell_word

from ounce_exporters.export.example import EXAMPLE_FILE, example_request
from ounce_exporters.ladder.recipe import TaskData

_KAFKA = "localhost:9092"


def next_steps(data: TaskData, models: Path) -> list[str]:
    """Lines to print after training.

    Args:
        data: the task and its splits.
        models: the folder that holds the task's.
    """
    task = data.spec.name
    where = "" if models == Path("models") else f" --models {shell_word(models)}"
    example = example_request(data.spec, data.test)
    sent = f"--file {shell_word(models / task / EXAMPLE_FILE)}"
    if example.row is not None:
        sent = f"--data {shlex.quote(example.row)}"
    return [
        "Ask the models in this process:",
        f"  ounce ask {task} {sent} --local{where}",
        "",
        f"Next, with Kafka at {_KAFKA}:",
        f"  ounce topics {task} --kafka {_KAFKA}",
        f"  ounce worker --task {task} --kafka {_KAFKA}{where}",
        f"  ounce devices --task {task} --kafka {_KAFKA}{where}",
        "",
        f"A request of your own, as a record of {example.topic} "
        f"(the whole body: {models / task / EXAMPLE_FILE}):",
        *(f"  {line}" for line in example.lines),
    ]
