"""Training: the loop, what reads it, and the runs that it leaves behind."""

from whygrad.training.checkpoint import Checkpoints, load_checkpoint, save_checkpoint
from whygrad.training.early_stopping import EarlyStopping
from whygrad.training.evaluate import Evaluation, evaluate, predict, probabilities
from whygrad.training.fit import Step, fit
from whygrad.training.metrics import Metrics, read_metrics
from whygrad.training.monitor import Lost, Monitor
from whygrad.training.recipe import Experiment, Recipe, prepare
from whygrad.training.run import Run
from whygrad.training.signals import Probe, Signals
from whygrad.training.state import TrainingState

__all__ = [
    "Checkpoints",
    "EarlyStopping",
    "Evaluation",
    "Experiment",
    "Lost",
    "Metrics",
    "Monitor",
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
