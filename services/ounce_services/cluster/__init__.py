"""The Kafka cluster: what every service asks of it before it starts, and one inside a process."""
