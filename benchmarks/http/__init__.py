"""What a call over HTTP costs beside a request by Kafka."""
