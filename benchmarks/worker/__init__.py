"""Benchmarks of a worker on a real Kafka."""
