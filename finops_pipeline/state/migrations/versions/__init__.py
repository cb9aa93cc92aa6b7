"""Steps of the migration: a module each, named by its revision."""
