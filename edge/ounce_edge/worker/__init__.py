"""One process: its command and settings, and what connects serving with Kafka."""
