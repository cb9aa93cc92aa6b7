"""Places that are written to, one module each; none knows where its numbers come from."""
