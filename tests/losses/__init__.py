"""Tests of ``whygrad.losses``."""
