"""In CI a skip is a failure; elsewhere it is a skip."""

import pytest

SKIPS = """
import pytest

def test_passes():
    assert True

def test_skips():
    pytest.skip("no broker here")

@pytest.fixture
def broker():
    pytest.skip("no java here")

def test_needs_what_is_absent(broker):
    assert broker

@pytest.mark.skip(reason="switched off")
def test_switched_off():
    assert True

@pytest.mark.xfail(reason="known")
def test_known_fault():
    assert False
"""


def run(pytester: pytest.Pytester, source: str) -> pytest.RunResult:
    pytester.makepyfile(source)
    return pytester.runpytest_inprocess("-p", "tests.support.suite.skips", "-p", "no:cacheprovider")


def test_skips_fail_in_ci_with_their_reason(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    result = run(pytester, SKIPS)
    # A test that skips itself fails; one that is skipped before it runs is an error.
    assert result.parseoutcomes() == {"passed": 1, "failed": 1, "errors": 2, "xfailed": 1}
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    for reason in ("no broker here", "no java here", "switched off"):
        result.stdout.fnmatch_lines([f"*{reason}*"])


def test_a_skipped_file_fails_in_ci(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    result = run(pytester, 'import pytest\npytest.skip("whole file", allow_module_level=True)')
    assert result.parseoutcomes() == {"errors": 1}
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*whole file*"])


def test_skips_are_skips_elsewhere(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    result = run(pytester, SKIPS)
    assert result.parseoutcomes() == {"passed": 1, "skipped": 3, "xfailed": 1}
    assert result.ret == pytest.ExitCode.OK
