"""Tests of ``whygrad.data``."""
