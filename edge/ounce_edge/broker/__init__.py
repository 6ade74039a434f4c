"""Kafka: consuming, publishing at least once or exactly once, and noticing when it hangs."""
