"""The demo's live view, its drawings and its words."""

import re
from pathlib import Path

import msgspec
import pytest
from click import ClickException
from ounce_services.demo.feed import ReportFeed
from ounce_services.demo.live import progress_line
from ounce_services.demo.summary import next_steps, summary
from ounce_services.demo.view import Frame, render
from ounce_services.demo.widgets import bar, large, sparkline
from ounce_services.devices.report import (
    Accuracy,
    DeadlineReport,
    FleetReport,
    FloorReport,
    ModelReport,
    Phase,
    TaskReport,
)
from rich.console import Console

from scripts.demo_picture import picture
from tests.services.reports import make_task_report


def full_task() -> TaskReport:
    """As many rows and as wide numbers as the tasks that ship give."""
    names = ["mlp", "logistic-regression", "gradient-boosting", "a", "b", "c", "residual-cnn"]
    return make_task_report(
        sent=1_234_567,
        answered=1_234_567,
        models={
            name: ModelReport(Accuracy(176_366, 170_000, 0.9876), 0.01 * 4**rank)
            for rank, name in enumerate(names)
        },
        floors=tuple(
            FloorReport(floor, Accuracy(246_913, 240_000, 0.9876), Accuracy())
            for floor in (0.77, 0.9, 0.95, 0.9874, 0.994)
        ),
        deadlines=tuple(DeadlineReport(ms, 246_913, 246_000, 246_000) for ms in (1, 50, 100, 500)),
    )


def draw(report: FleetReport, width: int, height: int) -> list[str]:
    console = Console(width=width, height=height, force_terminal=True, color_system=None)
    frame = Frame(report, [300.0] * 60 + [1800.0] * 2, 60, "http://127.0.0.1:9464/metrics")
    with console.capture() as capture:
        console.print(render(frame, width, height))
    return re.sub(r"\x1b\[[0-9;]*m", "", capture.get()).rstrip("\n").split("\n")


@pytest.mark.parametrize(("width", "height"), [(100, 32), (120, 40), (200, 50)])
def test_view_fits_and_cuts_nothing(width: int, height: int) -> None:
    tasks = {"digits": full_task(), "bearing": full_task()}
    lines = draw(FleetReport(23.4, Phase.SENDING, True, tasks), width, height)
    text = "\n".join(lines)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width
    assert "…" not in text
    for expected in (
        "0:23 of 1:00",
        "always best",
        "logistic-regression",
        "residual-cnn",
        "98.74%",
        "1,800 at most",
        "burst",
        "deadlines kept",
        "within ms",
        "/metrics",
        "sent 2,469,134",
        "labelled misses 60",
    ):
        assert expected in text
    assert text.count("╭") == text.count("╯") == 4


@pytest.mark.parametrize(("width", "height"), [(80, 24), (100, 32), (200, 50)])
def test_view_of_long_ladders_shows_the_most_used_and_counts_the_others(
    width: int, height: int
) -> None:
    models = {
        f"model-{i}": ModelReport(Accuracy(10_000 if i in (2, 17) else 9 - i % 9), 1.0)
        for i in range(20)
    }
    task = msgspec.structs.replace(full_task(), models=models)
    tasks = {"digits": task, "bearing": task}
    lines = draw(FleetReport(23.4, Phase.SENDING, True, tasks), width, height)
    text = "\n".join(lines)
    assert (len(lines), max(map(len, lines))) == (height, width)
    assert "…" not in text
    assert text.count("╭") == text.count("╯")
    n_hidden = [int(n) for n in re.findall(r"and (\d+) more", text)]
    assert len(n_hidden) == 2
    assert len(re.findall(r"model-\d", text)) == 40 - sum(n_hidden)
    for expected in ("model-2 ", "model-17", "✘ broken", "within ms", "labelled misses 60"):
        assert text.count(expected) >= 1, expected
    assert text.index("model-2 ") < text.index("model-17")


def test_view_before_the_first_answer() -> None:
    empty = make_task_report(
        sent=0, answered=0, models={}, floors=(), deadlines=(), accuracy=Accuracy(),
        spent_ms=0.0, always_best_ms=0.0,
    )  # fmt: skip
    report = FleetReport(0.0, Phase.SENDING, False, {"digits": empty})
    assert "deadlines kept –" in "\n".join(draw(report, 100, 32))
    assert progress_line(report) == "  0 s  1.0x less compute; digits no answer yet"


def test_summary_says_what_was_kept_missed_and_saved() -> None:
    report = FleetReport(60.0, Phase.DONE, False, {"digits": make_task_report()})
    text = summary(report).plain
    for expected in (
        "10.0 times less compute",
        "0.35 instead of 3.50 CPU seconds for 1,000 answers",
        "deadlines kept 97.6% as the devices measured, 97.8% as labelled",
        "accuracy floors kept 2 of 2 promised",
        "labelled as missing a target that nothing could meet: 30",
        "light (90.0%",
    ):
        assert expected in text
    assert "got no answer" not in text


def test_summary_names_broken_floors_and_missing_answers() -> None:
    floors = (FloorReport(0.9, Accuracy(10_000, 8_000, 0.93), Accuracy()),)
    task = make_task_report(floors=floors, waiting=4)
    text = summary(FleetReport(60.0, Phase.DONE, False, {"digits": task})).plain
    assert "0 of 1 promised; broken: 0.9 (seen 0.800)" in text
    assert "4 inputs got no answer" in text


def test_summary_of_nothing_says_so() -> None:
    assert "Nothing was answered yet" in summary(None).plain


def test_next_steps_name_the_busiest_models_page(tmp_path: Path) -> None:
    report = FleetReport(1.0, Phase.DONE, False, {"digits": make_task_report()})
    text = next_steps(tmp_path / "models", report, tmp_path).plain
    assert "models/digits/light/README.md" in text
    assert str(tmp_path) in text
    assert "ounce train --help" in next_steps(tmp_path, None, tmp_path).plain
    assert "whole ladders" not in text
    (tmp_path / "quick" / "digits").mkdir(parents=True)
    assert "ounce train digits (minutes)" in next_steps(tmp_path, None, tmp_path).plain


def test_feed_reads_whole_lines_only(tmp_path: Path) -> None:
    path = tmp_path / "report.jsonl"
    feed = ReportFeed(path)
    assert not feed.follow()
    first = msgspec.json.encode(
        FleetReport(0.5, Phase.SENDING, False, {"a": make_task_report(), "b": make_task_report()})
    )
    second = msgspec.json.encode(FleetReport(1.0, Phase.DONE, False, {}))
    path.write_bytes(first + b"\n" + second[:10])
    assert feed.follow()
    assert feed.latest is not None
    assert (feed.latest.elapsed_s, list(feed.sent_per_s)) == (0.5, [600.0])
    assert not feed.follow()
    path.write_bytes(first + b"\n" + second + b"\n")
    assert feed.follow()
    assert feed.latest.phase is Phase.DONE


def test_drawings() -> None:
    assert [len(line) for line in large("12.4×").split("\n")] == [17, 17, 17]
    assert [bar(share, 4) for share in (-1, 0, 0.5, 0.53125, 1, 9)] == [
        "    ", "    ", "██  ", "██▏ ", "████", "████",
    ]  # fmt: skip
    assert sparkline([0, 1, 2, 4], 4) == [" ▂▄█"]
    assert sparkline([4, 2], 3, height=2) == [" █ ", " ██"]
    assert sparkline([], 3) == ["   "]


def test_a_picture_shows_the_view_of_one_moment(tmp_path: Path) -> None:
    reports = [
        FleetReport(at_s, Phase.SENDING, True, {"digits": make_task_report(sent=n, answered=n)})
        for at_s, n in [(49.0, 41_049), (50.0, 41_050), (50.5, 41_051)]
    ]
    report = tmp_path / "report.jsonl"
    report.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in reports))
    svg = picture(report)
    assert "0:50" in svg
    assert "41,050" in svg
    assert 'url("http' not in svg, "a browser that shows it asks nobody else"
    report.write_bytes(msgspec.json.encode(reports[0]) + b"\n")
    with pytest.raises(ClickException, match=r"has no report of 50 s and later"):
        picture(report)
