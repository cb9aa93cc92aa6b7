"""State database: which windows were read, what changed, what is due, and whose data it is."""
