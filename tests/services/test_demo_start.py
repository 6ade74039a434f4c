"""How the demo starts: which ladders it takes, and what it shows while others are trained."""

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import msgspec
import pytest
from ounce_schemas.training_progress import ModelProgress, ModelState, TrainingProgress
from ounce_services.demo.ladders import find_ladder, has_ladder, link_ladders
from ounce_services.demo.settings import DemoSettings
from ounce_services.demo.start import StartScreen, progress_line
from ounce_services.demo.start_view import StartFrame, TrainingFrame, render_start, time_left
from ounce_services.demo.trainings import Training, start_trainings
from ounce_services.process.children import ChildError, Children, ounce_command
from rich.console import Console

from tests.support.process.wait import wait_until

HALF = TrainingProgress(
    task="bearing",
    elapsed_s=10.0,
    share=0.5,
    models=(
        ModelProgress("decision-tree", ModelState.DONE, 1.0, 0.9876, 0.0194),
        ModelProgress("logistic-regression", ModelState.FAILED, 0.3),
        ModelProgress("deep-cnn-1d", ModelState.MEASURING, 1.0),
        ModelProgress("residual-cnn-1d", ModelState.TRAINING, 0.43),
        ModelProgress("gru", ModelState.WAITING, 0.0),
    ),
)


def put_ladder(models: Path, task: str) -> Path:
    folder = models / task
    (folder / "light").mkdir(parents=True)
    for name in ("task.json", "test-split.npz", "light/card.json"):
        (folder / name).write_text("{}")
    return folder


def test_a_real_ladder_comes_before_a_quick_one(tmp_path: Path) -> None:
    assert find_ladder(tmp_path, "digits") is None
    quick = put_ladder(tmp_path / "quick", "digits")
    assert find_ladder(tmp_path, "digits") == quick
    real = put_ladder(tmp_path, "digits")
    assert find_ladder(tmp_path, "digits") == real
    shutil.rmtree(real / "light")
    assert find_ladder(tmp_path, "digits") == quick  # a folder without a model is no ladder


def test_a_run_sees_the_ladders_of_two_folders_as_one(tmp_path: Path) -> None:
    ladders = [put_ladder(tmp_path, "digits"), put_ladder(tmp_path / "quick", "bearing")]
    link_ladders(ladders, tmp_path / "run")
    assert all(has_ladder(tmp_path / "run", task) for task in ("digits", "bearing"))


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("progress", [None, HALF])
def test_the_start_fits_and_cuts_nothing(step: int, progress: TrainingProgress | None) -> None:
    trainings = [TrainingFrame(task, progress, 12.3) for task in ("digits", "bearing")]
    lines = draw(StartFrame(step, 3.4, trainings, ()))
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 24
    assert "…" not in text
    assert text.count("✔") == step + (2 if progress else 0)
    if progress is not None:
        for part in ("98.8% right", "0.019 ms", "failed", "exporting", "training 43%", "waiting"):
            assert text.count(part) == 2
        assert text.count("~10 s left") == 2


def test_the_start_names_the_ladders_that_are_reused() -> None:
    assert "Reuse the ladders in models/digits" in "\n".join(
        draw(StartFrame(1, 3.4, (), ("models/digits",)))
    )


def draw(frame: StartFrame) -> list[str]:
    console = Console(width=100, height=35, force_terminal=True, color_system=None)
    with console.capture() as capture:
        console.print(render_start(frame))
    return re.sub(r"\x1b\[[0-9;]*m", "", capture.get()).rstrip("\n").split("\n")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "estimating"),
        (0.2, "~1 s left"),
        (7.4, "~7 s left"),
        (38, "~40 s left"),
    ],
)
def test_the_time_left_is_told_roughly(seconds: float | None, text: str) -> None:
    assert time_left(seconds) == text


def test_all_trainings_stand_in_one_line() -> None:
    frames = [TrainingFrame("bearing", HALF, 10.0), TrainingFrame("digits", None, None)]
    assert progress_line(frames) == "training bearing 50%, ~10 s left; digits starting"


def run_training(tmp_path: Path, code: str, children: Children) -> Training:
    child = children.start("ounce train", [sys.executable, "-c", code], tmp_path / "log")
    return Training("bearing", child, tmp_path / "report")


@pytest.mark.parametrize("exit_code", [0, 3])
def test_a_training_is_followed_to_its_end(tmp_path: Path, exit_code: int) -> None:
    """Also where it left a model out: the others make a ladder."""
    (tmp_path / "report").write_bytes(msgspec.json.encode(HALF) + b"\n")
    with Children() as children:
        training = run_training(tmp_path, f"raise SystemExit({exit_code})", children)
        assert training.seconds_left is None
        console = Console(force_terminal=False, width=100)
        with console.capture(), StartScreen(console, [training], []) as screen:
            screen.wait_for_trainings()
        assert training.progress == HALF
        assert training.failed_models == ["logistic-regression"]
        assert training.seconds_left == pytest.approx(10, abs=3)


def test_a_training_that_fails_ends_the_start(tmp_path: Path) -> None:
    with Children() as children:
        training = run_training(tmp_path, "raise SystemExit('no room on disk')", children)
        console = Console(force_terminal=False)
        with (
            pytest.raises(ChildError, match=r"(?s)exit code 1; the end of .*no room on disk"),
            StartScreen(console, [training], []) as screen,
        ):
            screen.wait_for_trainings()


def running_with(argument: Path) -> list[bytes]:
    """Command lines of processes that name a path; none where the system does not list them."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it ended meanwhile
            found.append(path.read_bytes())
    return [line for line in found if bytes(argument) in line]


def test_ctrl_c_in_a_training_ends_the_demo_in_order(tmp_path: Path) -> None:
    models = tmp_path / "models"
    command = [*ounce_command("demo"), "--task", "digits", "--models", str(models)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as demo:
        begun = "ounce-demo-*/train-digits.jsonl"
        wait_until(lambda: any(tmp_path.glob(begun)), lambda: "no training begins")
        demo.send_signal(signal.SIGINT)
        output, _ = demo.communicate(timeout=60)
    assert demo.returncode == 0, output
    assert "Interrupted; everything is stopped." in output
    assert list(models.glob("quick/*")) == list(models.glob("quick/.*")) == []
    assert running_with(models) == []


def test_the_worker_of_a_demo_misses_no_topic(digits_models: Path, tmp_path: Path) -> None:
    words = ["--task=digits", f"--models={digits_models}", "--duration=1", "--no-console"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    subprocess.run([*ounce_command("demo"), *words], env=environment, timeout=120, check=True)
    [log] = tmp_path.glob("ounce-demo-*/worker.log")
    assert "assigned partitions" in log.read_text()
    assert "policies-unreached" not in log.read_text()


def test_only_tasks_without_a_ladder_are_trained(tmp_path: Path) -> None:
    put_ladder(tmp_path, "digits")
    with Children() as children:
        assert start_trainings(tmp_path, ["digits"], tmp_path, children) == []
        (training,) = start_trainings(tmp_path, ["digits", "none"], tmp_path, children)
        assert training.task == "none"
        with pytest.raises(ChildError, match="unknown task 'none'"):
            StartScreen(Console(), [training], []).wait_for_trainings()


@pytest.mark.parametrize(("rate", "why"), [("digits=-5", "above 0"), ("fast", "not N or TASK=N")])
def test_a_wrong_rate_is_told_before_anything_starts(rate: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        DemoSettings(rate=(rate,))
