"""Turns what is due into rows of the lake: windows, days in one piece, inventories, bills."""
