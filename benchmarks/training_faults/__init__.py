"""Trainings with a planted fault, and healthy ones: what a diagnosis of trainings is tried on."""
