"""Holds what every step works on: settings, lake, ledger, clock and the sources to read."""
