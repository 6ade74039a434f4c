"""A run of several processes: what they share, which files come first, and that nothing hides."""

import os

import pytest

from tests.support.kafka.needed import BROKER
from tests.support.suite.parallel import (
    MOST_PROCESSES,
    PROCESS_BYTES,
    THREADS,
    TRAINS,
    pytest_collection_modifyitems,
    pytest_xdist_auto_num_workers,
)

MADE_ONCE = """
from tests.support.suite.once import made_once

def test_it_is_there(tmp_path_factory):
    def make(folder):
        folder.mkdir()  # fails the second time
        (folder / "file").write_text("made")

    assert (made_once(tmp_path_factory, "shared", make) / "file").read_text() == "made"
"""
PORTS = """
from tests.support.process.child import free_port
from tests.support.suite.processes import number_of_processes, process_index

def test_ports_are_its_own():
    assert number_of_processes() == 2
    assert {free_port() % 2 for _ in range(20)} == {process_index()}
"""
SKIPS = """
import pytest

@pytest.fixture
def broker():
    pytest.skip("no java here")

def test_needs_what_is_absent(broker):
    assert broker
"""
HANGS = """
import time

def test_hangs():
    time.sleep(60)

def test_comes_after_it():
    assert True
"""
SKIPPED_FILE = "import pytest\npytest.skip('whole file', allow_module_level=True)"


@pytest.fixture
def in_two(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> pytest.Pytester:
    """Runs in CI, in two processes."""
    monkeypatch.setenv("CI", "true")
    paths = [str(pytestconfig.rootpath), os.environ.get("PYTHONPATH", "")]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, paths)))
    monkeypatch.setenv(
        "PYTEST_ADDOPTS",
        "-n 2 --dist loadfile --no-loadscope-reorder --timeout 2 -p no:cacheprovider "
        "-p no:schemathesis -p tests.support.suite.parallel -p tests.support.suite.skips",
    )
    return pytester


def test_they_share_what_is_made_once_and_skips_and_hangs_fail(in_two: pytest.Pytester) -> None:
    files = {"a": MADE_ONCE, "b": MADE_ONCE, "c": PORTS, "d": PORTS, "e": SKIPS, "f": HANGS}
    files["g"] = SKIPPED_FILE
    in_two.makepyfile(**{f"test_{name}": text for name, text in files.items()})
    result = in_two.runpytest_subprocess("--continue-on-collection-errors")
    assert result.parseoutcomes() == {"passed": 5, "failed": 1, "errors": 2}
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    for reason in ("no java here", "whole file", "*Timeout*2.0s*"):
        result.stdout.fnmatch_lines([f"*{reason}*"])


def test_files_with_kafka_take_turns_with_those_that_train_and_the_others_come_last(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    kafka = "import pytest\n@pytest.mark.kafka\ndef test_{}(): pass\ndef test_beside(): pass"
    pytester.makeini("[pytest]\nmarkers = kafka")
    pytester.makepyfile(
        **{
            "test_a": "def test_a(): pass",
            "test_b": kafka.format("b"),
            "test_c": kafka.format("c"),
            f"{TRAINS}/test_d": "def test_d(): pass",
        }
    )
    items, _ = pytester.inline_genitems()
    items.sort(key=lambda item: item.path)
    before = [*items]
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "1")
    pytest_collection_modifyitems(items)
    assert items == before
    monkeypatch.setenv("PYTEST_XDIST_WORKER_COUNT", "2")
    pytest_collection_modifyitems(items)
    ordered = ["test_b", "test_beside", "test_d", "test_c", "test_beside", "test_a"]
    assert [item.name for item in items] == ordered


def test_there_is_one_more_than_processors_where_memory_allows_and_one_on_a_given_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv(BROKER, raising=False)
    pages = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 64 * PROCESS_BYTES}
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    assert pytest_xdist_auto_num_workers() == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert pytest_xdist_auto_num_workers() == MOST_PROCESSES
    pages["SC_PHYS_PAGES"] = 2 * PROCESS_BYTES + 1
    assert pytest_xdist_auto_num_workers() == 2
    pages["SC_PHYS_PAGES"] = PROCESS_BYTES - 1
    assert pytest_xdist_auto_num_workers() == 1
    monkeypatch.setenv(BROKER, "127.0.0.1:9092")
    assert pytest_xdist_auto_num_workers() == 0


def test_each_computes_on_one_thread(
    in_two: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(THREADS, raising=False)
    in_two.makepyfile(
        f"import os\ndef test_it(): assert os.environ['{THREADS}'] == '1'\n"
        "def test_of_numpy():\n    import numpy, threadpoolctl\n"
        "    assert {of['num_threads'] for of in threadpoolctl.threadpool_info()} == {1}"
    )
    assert in_two.runpytest_subprocess().parseoutcomes() == {"passed": 2}


def test_who_asks_for_a_broker_is_marked(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\nmarkers = kafka")
    pytester.makepyfile(
        "import pytest\n@pytest.fixture\ndef private_kafka(): pass\n"
        "def test_a(private_kafka): pass\ndef test_b(): pass"
    )
    plugin = ("-p", "tests.support.suite.parallel")
    result = pytester.runpytest_inprocess(*plugin, "-m", "not kafka", "-p", "no:cacheprovider")
    assert result.parseoutcomes() == {"passed": 1, "deselected": 1}
