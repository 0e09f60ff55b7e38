"""Tests of whygrad."""
