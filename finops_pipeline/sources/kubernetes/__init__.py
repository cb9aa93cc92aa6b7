"""Reads the Kubernetes API: the way in, its objects, and the rows that are made of them."""
