"""Tests of the worked examples, one file for each."""
