"""Tests of ``whygrad.checking``."""
