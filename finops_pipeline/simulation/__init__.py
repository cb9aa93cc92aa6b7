"""An embedded pretend cluster that answers like OpenCost, Prometheus and Kubernetes."""
