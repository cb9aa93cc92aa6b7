"""A FinOps data platform for Kubernetes whose numbers can be trusted."""
