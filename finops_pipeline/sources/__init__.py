"""Systems that are read, one module each, and what is made of their answers before they are kept.

``plausibility`` judges whether an answer can be true, ``reconciliation`` whether a day is the sum
of its windows, ``probe`` asks what the doctor wants to know.
"""
