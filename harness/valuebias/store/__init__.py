"""The store: scores are computed once and kept by the address of their inputs."""
