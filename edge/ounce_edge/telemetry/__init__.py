"""What a worker tells: metrics, health, events."""
