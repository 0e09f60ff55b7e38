"""Training: the loop, what reads it, and the runs that it leaves behind."""

from whygrad.training.checkpoint import Checkpoints, load_checkpoint, save_checkpoint
from whygrad.training.early_stopping import EarlyStopping
from whygrad.training.evaluate import Evaluation, evaluate, predict, probabilities
from whygrad.training.facts import Facts
from whygrad.training.fit import Step, fit
from whygrad.training.metrics import Metrics, read_metrics
from whygrad.training.monitor import Lost, Monitor
from whygrad.training.presets import RECIPES
from whygrad.training.recipe import Experiment, Plan, Recipe, prepare
from whygrad.training.run import Run
from whygrad.training.signals import Probe, Signals
from whygrad.training.state import TrainingState

__all__ = [
    "RECIPES",
    "Checkpoints",
    "EarlyStopping",
    "Evaluation",
    "Experiment",
    "Facts",
    "Lost",
    "Metrics",
    "Monitor",
    "Plan",
    "Probe",
    "Recipe",
    "Run",
    "Signals",
    "Step",
    "TrainingState",
    "evaluate",
    "fit",
    "load_checkpoint",
    "predict",
    "prepare",
    "probabilities",
    "read_metrics",
    "save_checkpoint",
]
