"""Processor time and memory of a process."""

import os

import pytest

from benchmarks.process_figures import memory_kb, processor_s


def test_processor_time_grows_with_work() -> None:
    before_s = processor_s(os.getpid())
    while processor_s(os.getpid()) == before_s:
        sum(range(10_000))


def test_a_process_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ProcessLookupError):
        processor_s(2**22 + 1)


def test_memory_is_at_most_its_peak() -> None:
    assert 1000 < memory_kb(os.getpid()) <= memory_kb(os.getpid(), "VmHWM")
