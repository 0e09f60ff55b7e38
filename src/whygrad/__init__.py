"""A convolutional network from scratch whose every gradient can be seen, checked and explained.

The wings, each a package of its own: ``ops`` (the mathematics), ``losses``, ``layers``, ``models``, ``optim``,
``initializers``, ``data``, ``training``, ``checking``, ``explanation`` and ``diagnosis``. What people type most
stands here as well.
"""

from whygrad import (
    checking,
    data,
    diagnosis,
    explanation,
    initializers,
    layers,
    losses,
    models,
    ops,
    optim,
    training,
)
from whygrad.checking import check_gradient, check_hessian_vector, check_loss, check_model, check_op
from whygrad.diagnosis import (
    Diagnosis,
    diagnose,
    diagnose_arrays,
    diagnose_loss,
    diagnose_network,
    diagnose_training,
)
from whygrad.engines import current_engine, engine
from whygrad.errors import (
    CheckError,
    DataError,
    DTypeError,
    FileError,
    GradientError,
    NonFiniteError,
    OptionError,
    ShapeError,
    WhygradError,
)
from whygrad.explanation import explain
from whygrad.explanation.verification import verify
from whygrad.layers import Graph, Residual, Sequential
from whygrad.losses import (
    binary_cross_entropy,
    cross_entropy,
    half_squared_error,
    hinge,
    mean_squared_error,
)
from whygrad.optim import SGD, Adam, AdamW, RMSprop, clip_by_global_norm, clip_by_value
from whygrad.threads import get_num_threads, set_num_threads
from whygrad.training import Step, evaluate, fit, predict
from whygrad.version import __version__
from whygrad.workspace import Workspace

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "CheckError",
    "DTypeError",
    "DataError",
    "Diagnosis",
    "FileError",
    "GradientError",
    "Graph",
    "NonFiniteError",
    "OptionError",
    "RMSprop",
    "Residual",
    "Sequential",
    "ShapeError",
    "Step",
    "WhygradError",
    "Workspace",
    "__version__",
    "binary_cross_entropy",
    "check_gradient",
    "check_hessian_vector",
    "check_loss",
    "check_model",
    "check_op",
    "checking",
    "clip_by_global_norm",
    "clip_by_value",
    "cross_entropy",
    "current_engine",
    "data",
    "diagnose",
    "diagnose_arrays",
    "diagnose_loss",
    "diagnose_network",
    "diagnose_training",
    "diagnosis",
    "engine",
    "evaluate",
    "explain",
    "explanation",
    "fit",
    "get_num_threads",
    "half_squared_error",
    "hinge",
    "initializers",
    "layers",
    "losses",
    "mean_squared_error",
    "models",
    "ops",
    "optim",
    "predict",
    "set_num_threads",
    "training",
    "verify",
]
