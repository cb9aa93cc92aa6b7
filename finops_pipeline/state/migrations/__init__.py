"""Steps that bring an older state database up to date; run by ``open_state``."""
