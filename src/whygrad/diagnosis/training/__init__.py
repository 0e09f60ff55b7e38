"""Why a training does not learn: each suspicion is tested by an experiment, and each remedy is run before it is named.

**What is looked at.** A ``Subject`` is a training as everything here sees it: ``loss(params, batch)``,
``gradients(params, batch)``, an update, parameters, a batch, and what else there is. ``subject.py`` makes one from
anyone's functions, ``own.py`` from the project's models, inside which activations can be seen. No module asks which.

**Two kinds of tests.** A *proof* needs no training to go wrong: labels outside the classes, a gradient that is not that of
the loss, an update that is not the optimiser's. A *suspicion* is a property that may do harm or not: weights far
too large, a rate above the stability limit, units that no sample activates. It counts only where the training as
given fails and the same training with that one thing changed does not. So a training that learns is not accused for its
looks.

**The order** is that of cost. Each line is a module with one public function, usable alone on a ``Subject``:

1. ``calling``: the functions raise, are slow, random, or change their arguments
2. ``data``, ``relation``: samples and labels by themselves, and whether the one tells anything of the other
3. ``numbers``: the first value that is not finite, by line, operation and sample
4. ``gradient``, ``memory``: slopes of the loss along directions against the gradient; what calls leave behind
5. ``outputs``, ``start``: what the loss is fed with, the first loss, symmetric or badly scaled weights
6. ``updates``: which optimiser's formula the steps follow
7. ``trials``: the training as given, for a few dozen steps on one batch
8. only if that fails: ``curvature``, ``descent``, ``rate``, ``flow``, ``learning``, each with its remedy run

What is proven ends the examination unless ``thorough``. A deadline in seconds holds throughout: what no time was left for
is listed among what was not tested, with the reason, as is all that could not be tested.

**Ranking.** What is proven comes first, in the order above, since later things follow from earlier ones: a loss that rises
under a gradient of the wrong sign says nothing about the rate. Suspicions follow in the order in which one explains
the other: inputs, first weights, rate, flow. Findings that hold as well are kept behind the first.
"""
