"""Figures of speed and memory, each beside its goal: ``python -m bench`` measures all of them."""
