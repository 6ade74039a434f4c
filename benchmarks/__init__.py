"""Measurements, apart from the tests: each module is one command, python -m benchmarks.NAME."""
