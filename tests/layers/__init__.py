"""Tests of ``whygrad.layers``."""
