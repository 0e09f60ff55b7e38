"""Tests of the operations, one file for each."""
