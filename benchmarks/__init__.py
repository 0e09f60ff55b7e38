"""How quick and how small whygrad is beside PyTorch on the CPU: ``python -m benchmarks --help``."""
