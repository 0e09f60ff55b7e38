"""Compiled twins: every operation again, as fast as the machine, in a file of its name."""
