"""Alembic's entry: runs the steps on the connection and in the transaction it is given."""

from alembic import context

from finops_pipeline.state.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=True,  # SQLite can, though alembic does not expect it to
)
with context.begin_transaction():
    context.run_migrations()
