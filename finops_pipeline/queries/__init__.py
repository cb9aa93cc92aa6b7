"""Questions to the published file, shared by the command line, delivery, reports and notebooks."""
