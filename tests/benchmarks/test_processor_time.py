"""Processor time of a process."""

import os

import pytest

from benchmarks.worker.processor_time import processor_s


def test_processor_time_grows_with_work() -> None:
    before_s = processor_s(os.getpid())
    while processor_s(os.getpid()) == before_s:
        sum(range(10_000))


def test_a_process_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ProcessLookupError):
        processor_s(2**22 + 1)
