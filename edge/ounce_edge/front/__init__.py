"""HTTP: requests of the Open Inference Protocol go to Kafka, and their answers come back."""
