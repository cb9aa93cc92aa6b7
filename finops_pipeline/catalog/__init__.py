"""Says what the files under ``sql/`` define, need and read. Opens no database file."""
