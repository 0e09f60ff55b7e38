"""Why a training does not learn: suspicions are tested by experiments, and remedies are run before they are named.

**What is looked at.** A ``Subject`` is a training as everything here sees it: ``loss(params, batch)``,
``gradients(params, batch)``, an update, parameters, a batch, and what else there is. ``asking.py`` makes one
from anyone's functions, ``own.py`` from the project's models, inside which activations can be seen. No module
asks which.

**Two kinds of tests.** A *proof* needs no training to go wrong: labels outside the classes, a gradient that is
not that of the loss, an update that is not the optimiser's. A *suspicion* is a property that may do harm or
not: weights far too large, a rate above the stability limit, units that no sample activates. It counts only
where the training as given fails, or learns far less, and the same training with that one thing changed does
not. So no training is accused for its looks.

**The order** is that of cost, and stands in ``examination``. Each line is a module with one public function, usable
alone on a ``Subject``, and the modules that it asks:

1. ``data``, ``labels``, ``relation``: samples and labels by themselves, and whether the one tells anything of
   the other
2. ``calling``: the functions raise, are slow, random, or change their arguments
3. ``numbers`` (``tracing``, ``expressions``): the first value that is not finite, by line, operation and sample
4. ``gradient`` (``earlier_calls``, ``explaining``, ``factors``, ``penalised``, ``absent``, ``catalogue``): slopes
   of the loss along directions against the gradient; what calls leave behind. ``mending`` makes right ones
5. ``outputs`` (``squashed``, ``blind``): what the loss is fed with, the first loss, and whether it sees the
   labels; ``modes``: whether a model's layers are in evaluation what they are in training
6. ``updates`` (``rules``, ``fitting``, ``rule_followed``, ``along``, ``clipped``, ``other_moment``, ``truncated``):
   which optimiser's formula the steps follow
7. ``trials``, ``start``: the training as given, for a few dozen steps; units that stay equal
8. ``solution``, ``evaluation``: of a training that learns, whether the targets determine its parameters, and
   whether evaluation agrees
9. of one that does not, the suspicions, each with its remedy run: ``fed`` (samples, labels), ``units`` (dead ones),
   ``first_weights``, ``flow`` (``saturation``), ``rate`` (``curvature``), ``precision``, ``penalty``,
   ``dropped``; at last ``overfitting``, whether a few samples can be learned by heart

What is proven ends the examination unless ``thorough``. A deadline in seconds holds throughout: what no time
was left for is listed among what was not tested, with the reason, as is all that could not be tested.

**Ranking.** What is proven comes first, in the order above, since later things follow from earlier ones: a loss
that rises under a gradient of the wrong sign says nothing about the rate. Suspicions follow in the order in
which one explains the other: inputs, first weights, flow, rate. Findings that hold as well are kept behind the
first.
"""

from whygrad.diagnosis.training.asking import training_of
from whygrad.diagnosis.training.calling import examine_calling
from whygrad.diagnosis.training.curvature import Curvature, curvature, examine_curvature
from whygrad.diagnosis.training.data import examine_data
from whygrad.diagnosis.training.diagnosing import diagnose_training
from whygrad.diagnosis.training.evaluation import examine_evaluation
from whygrad.diagnosis.training.flow import examine_flow
from whygrad.diagnosis.training.gradient import examine_gradient
from whygrad.diagnosis.training.modes import examine_modes
from whygrad.diagnosis.training.numbers import examine_numbers
from whygrad.diagnosis.training.outputs import examine_outputs
from whygrad.diagnosis.training.overfitting import examine_overfitting
from whygrad.diagnosis.training.rate import examine_rate
from whygrad.diagnosis.training.relation import examine_relation
from whygrad.diagnosis.training.report import Evidence, TrainingDiagnosis, Trial
from whygrad.diagnosis.training.start import examine_start
from whygrad.diagnosis.training.subject import Subject
from whygrad.diagnosis.training.updates import examine_updates

__all__ = [
    "Curvature",
    "Evidence",
    "Subject",
    "TrainingDiagnosis",
    "Trial",
    "curvature",
    "diagnose_training",
    "examine_calling",
    "examine_curvature",
    "examine_data",
    "examine_evaluation",
    "examine_flow",
    "examine_gradient",
    "examine_modes",
    "examine_numbers",
    "examine_outputs",
    "examine_overfitting",
    "examine_rate",
    "examine_relation",
    "examine_start",
    "examine_updates",
    "training_of",
]
