"""Tests of ``whygrad.models``."""
