"""Keeps data safe: compaction, retention, closed months, backups, repair, and the doctor."""
