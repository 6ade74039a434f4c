"""Run by Alembic with a connection that is open."""

from alembic import context

from ounce_services.control.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
with context.begin_transaction():
    context.run_migrations()
