"""decode -> wait -> choose -> run -> encode, for the requests of one task. Knows no Kafka."""
