"""Tests of the diagnosis of trainings."""
