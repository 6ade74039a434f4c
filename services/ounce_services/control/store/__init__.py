"""The database: tables, migrations, and the outbox of what goes to Kafka."""
