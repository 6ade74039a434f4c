"""MQTT devices reach Kafka, and hear the answers."""
