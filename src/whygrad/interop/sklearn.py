"""For scikit-learn users: a convolutional network as a classifier among their others."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt, prod
from typing import Any, Self

import numpy as np

from whygrad.errors import DataError, DependencyError, OptionError, ShapeError
from whygrad.layers import Conv2d, Flatten, Layer, Linear, MaxPool2d, ReLU, Sequential
from whygrad.losses import cross_entropy
from whygrad.models import MODELS, ModelBuilder, model_builder
from whygrad.ops import log_softmax
from whygrad.optim import Constant, Optimizer, clip_by_global_norm
from whygrad.training import fit as training_steps
from whygrad.training import predict as output_of
from whygrad.training.recipe import OPTIMIZERS, SCHEDULES
from whygrad.training.state import TrainingState, beginning, generator
from whygrad.typing import Array, IntArray, Shape
from whygrad.validation import number, whole

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError:
    raise DependencyError(
        "whygrad.interop.sklearn",
        "the package scikit-learn",
        "none",
        "install it with: pip install 'whygrad[sklearn]'",
    ) from None

#: Images no lower or narrower than this are made smaller by a pooling.
_POOLED = 4


def any_size(*, input_shape: Shape, classes: int) -> Sequential:
    """Return two convolutions and two dense layers for images of any size, each pooled where it is large enough.

    Args:
        input_shape: (C, H, W) of the images, from 1x1 on.
        classes: number of classes.

    Example:
        >>> any_size(input_shape=(3, 2, 5), classes=10).output_shape((3, 2, 5))
        (10,)
    """
    layers: dict[str, Layer] = {}
    channels, *size = input_shape
    for i, filters in enumerate((16, 32), start=1):
        layers[f"conv{i}"] = Conv2d(channels, filters, 3, padding=1)
        layers[f"relu{i}"] = ReLU()
        windows = [2 if n >= _POOLED else 1 for n in size]
        if max(windows) > 1:
            layers[f"pool{i}"] = MaxPool2d((windows[0], windows[1]))
        channels, size = filters, [n // w for n, w in zip(size, windows, strict=True)]
    dense = {"fc1": Linear(channels * prod(size), 64), "relu3": ReLU(), "fc2": Linear(64, classes)}
    return Sequential(**layers, flatten=Flatten(), **dense, input_shape=input_shape)


class CNNClassifier(ClassifierMixin, BaseEstimator):
    """A convolutional network that classifies images, with the interface of scikit-learn.

    Args:
        model: "auto" for a small network for images of any size, the name of a ready model such as "lenet5", a
            function ``model(input_shape=, classes=)`` that returns a layer, or a layer.
        image_shape: (C, H, W) or (H, W) of one image, for rows of features. None takes the shape of X where it has
            three or four axes, a square where the number of features is one, and one line of pixels otherwise.
        epochs: passes over the samples in ``fit``; ``partial_fit`` makes one.
        batch_size: samples in an update.
        optimizer: "sgd", "rmsprop", "adam" or "adamw".
        learning_rate: its largest value; None for one that suits the optimiser and schedule.
        schedule: "one-cycle", "cosine", "step" or "constant"; ``partial_fit``, which does not know its end, keeps
            the rate constant.
        weight_decay: λ of the optimiser.
        label_smoothing: ε of the cross-entropy.
        clip: largest global norm of the gradients; None for no clipping.
        random_state: of the first parameters, the order of the samples, and dropout.

    Attributes:
        classes_: the labels, in order.
        model_: the network, a whygrad layer, which can be checked and explained.
        params_: its parameters by name.
        image_shape_: (C, H, W).
        loss_curve_: the mean loss of each epoch.
        n_iter_: the number of epochs.
        n_features_in_: C·H·W.

    Inputs should be of about the size of 1, as after a ``StandardScaler`` or a division by 255.

    Example:
        >>> from sklearn.datasets import load_digits
        >>> X, y = load_digits(return_X_y=True)
        >>> classifier = CNNClassifier(epochs=5, random_state=0).fit(X[:1000] / 16, y[:1000])
        >>> bool(classifier.score(X[1000:] / 16, y[1000:]) > 0.9)
        True
    """

    def __init__(
        self,
        model: str | ModelBuilder | Layer = "auto",
        *,
        image_shape: Sequence[int] | None = None,
        epochs: int = 20,
        batch_size: int = 32,
        optimizer: str = "adamw",
        learning_rate: float | None = None,
        schedule: str = "one-cycle",
        weight_decay: float = 5e-4,
        label_smoothing: float = 0.0,
        clip: float | None = None,
        random_state: Any = None,
    ) -> None:
        self.model = model
        self.image_shape = image_shape
        self.epochs = epochs
        self.batch_size = batch_size
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.weight_decay = weight_decay
        self.label_smoothing = label_smoothing
        self.clip = clip
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> Self:  # noqa: N803 - scikit-learn's names
        """Train from fresh parameters.

        Args:
            X: (n, features), (n, H, W) or (n, C, H, W).
            y: n labels of any type.

        Returns:
            The classifier.

        Raises:
            ValueError: data or options that nothing can be learned from.
        """
        images, y = self._images(X, y, first=True)
        self.classes_, labels = np.unique(y, return_inverse=True)
        steps = whole("fit", "epochs", self.epochs, 1) * -(-len(labels) // self._batch())
        self._begin(self._optimizer(SCHEDULES, steps))
        self._train(images, labels, self.epochs, self._optimizer(SCHEDULES, steps))
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None) -> Self:  # noqa: N803
        """Go on training with one pass over these samples.

        Args:
            X: as for ``fit``.
            y: labels among ``classes``.
            classes: all labels that there will ever be, in the first call.

        Returns:
            The classifier.

        Raises:
            ValueError: labels that are not among the classes, or no classes in the first call.
        """
        first = not hasattr(self, "classes_")
        if first and classes is None:
            raise OptionError(
                "partial_fit", "classes in the first call", "None", "pass classes=np.unique(all_labels)"
            )
        images, y = self._images(X, y, first=first)
        if not first and classes is not None and not np.array_equal(np.unique(classes), self.classes_):
            received = f"{np.unique(classes).tolist()}"
            remedy = "leave classes out, or begin again with fit"
            raise OptionError("partial_fit", f"the classes of before, {self.classes_.tolist()}", received, remedy)
        if first:
            self.classes_ = np.unique(classes)
        unknown = np.setdiff1d(y, self.classes_)
        if len(unknown):
            expected = f"labels among {self.classes_.tolist()}"
            raise DataError("partial_fit", expected, f"{unknown.tolist()}", "name all labels as classes at first")
        constant = self._optimizer({self.schedule: lambda rate, _: Constant(rate)}, 1)
        if first:
            self._begin(constant)
        self._train(images, np.searchsorted(self.classes_, y), self._state.epoch + 1, constant)
        return self

    def predict(self, X: Any) -> Any:  # noqa: N803
        """Return the most likely label of each sample."""
        scores = self._scores(X)
        return self.classes_[scores.argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:  # noqa: N803
        """Return the probability of each class, (n, classes), in the order of ``classes_``."""
        return np.exp(self.predict_log_proba(X))

    def predict_log_proba(self, X: Any) -> Array:  # noqa: N803
        """Return the logarithm of the probability of each class."""
        return log_softmax(self._scores(X))[0]

    def _scores(self, X: Any) -> Array:  # noqa: N803
        check_is_fitted(self)
        images, _ = self._images(X, None, first=False)
        return output_of(self.model_, self.params_, images).astype(np.float64)

    def _images(self, X: Any, y: Any, *, first: bool) -> tuple[Array, Any]:  # noqa: N803
        """Return (n, C, H, W) in float32 and the labels, refusing what scikit-learn refuses."""
        X = X if hasattr(X, "ndim") else np.asarray(X)  # noqa: N806
        sample = X.shape[1:]
        if len(sample) > 1:
            X = X.reshape(len(X), -1)  # noqa: N806
        given = {"X": X} if y is None and not first else {"X": X, "y": y}
        checked = validate_data(self, **given, reset=first, dtype=np.float32)
        x, labels = checked if isinstance(checked, tuple) else (checked, None)
        if labels is not None:
            check_classification_targets(labels)
        shape: Shape = _shape_of(sample, self.image_shape) if first else self.image_shape_
        if len(sample) > 1 and _shape_of(sample, None) != shape:
            raise ShapeError("X", f"images of shape {shape}", f"{sample}", "give all images one shape")
        if first:
            self.image_shape_: Shape = shape
        return x.reshape(len(x), *shape), labels

    def _begin(self, optimizer: Optimizer) -> None:
        """Make the network and the state before the first update."""
        self.model_ = self._network(self.image_shape_, len(self.classes_))
        rng = np.random.default_rng(check_random_state(self.random_state).randint(2**31))
        params = self.model_.init(rng)
        self._state = beginning(params, optimizer.init(params), rng)
        self.loss_curve_: list[float] = []
        self.n_iter_ = 0

    def _train(self, images: Array, labels: IntArray, epochs: int, optimizer: Optimizer) -> None:
        state: TrainingState = self._state
        clip = None if self.clip is None else number("CNNClassifier", "clip", self.clip, 1e-12, 1e12)
        smoothing = number("CNNClassifier", "label_smoothing", self.label_smoothing, 0.0, 1.0)
        for step in training_steps(
            self.model_,
            state.params,
            images,
            labels,
            optimizer=optimizer,
            rng=generator(state.rng),
            loss=lambda y, t: cross_entropy(y, t, label_smoothing=smoothing),
            epochs=epochs,
            batch_size=self._batch(),
            clip=None if clip is None else lambda gradients: clip_by_global_norm(gradients, max_norm=clip),
            resume=state,
        ):
            state = step.state
            if step.ends_epoch:
                self.loss_curve_.append(step.epoch_loss)
        self._state, self.params_, self.n_iter_ = state, state.params, state.epoch

    def _network(self, shape: Shape, classes: int) -> Layer:
        if isinstance(self.model, Layer):
            network = self.model
        elif isinstance(self.model, str):
            network = (any_size if self.model == "auto" else model_builder(self.model))(
                input_shape=shape, classes=classes
            )
        elif callable(self.model):
            network = self.model(input_shape=shape, classes=classes)
        else:
            expected = f'"auto", one of {", ".join(MODELS)}, a function or a layer'
            raise OptionError("CNNClassifier", f"model as {expected}", f"{self.model!r}", "change model")
        if network.output_shape(shape) != (classes,):
            received = f"{network.output_shape(shape)}"
            raise ShapeError("CNNClassifier", f"a model with {classes} scores", received, "change its last layer")
        return network

    def _optimizer(self, schedules: Any, steps: int) -> Optimizer:
        choices: dict[str, list[str]] = {"optimizer": list(OPTIMIZERS), "schedule": list(SCHEDULES)}
        for name, known in choices.items():
            value = getattr(self, name)
            if value not in known:
                expected = f"{name} as one of {', '.join(known)}"
                raise OptionError("CNNClassifier", expected, f"{value!r}", "check the spelling")
        build, usual = OPTIMIZERS[self.optimizer]
        rate = self.learning_rate
        schedule = schedules[self.schedule]
        if rate is None:  # what does not begin with a warm-up bears less
            rate = usual if self.schedule == "one-cycle" and schedules is SCHEDULES else usual / 3
        decay = number("CNNClassifier", "weight_decay", self.weight_decay, 0.0, 1.0)
        return build(schedule(number("CNNClassifier", "learning_rate", rate, 0.0, 1e6), steps), decay)

    def _batch(self) -> int:
        return whole("CNNClassifier", "batch_size", self.batch_size, 1)


def _shape_of(sample: Shape, wanted: Sequence[int] | None) -> Shape:
    """Return (C, H, W) of samples of a shape.

    Raises:
        ShapeError: the samples are no such images.

    Example:
        >>> _shape_of((64,), None), _shape_of((10,), None), _shape_of((12,), (3, 2, 2)), _shape_of((5, 5), None)
        ((1, 8, 8), (1, 1, 10), (3, 2, 2), (1, 5, 5))
    """
    if wanted is None:
        side = isqrt(sample[0])
        flat = (1, side, side) if side * side == sample[0] else (1, 1, sample[0])
        shape = {1: flat, 2: (1, *sample), 3: sample}.get(len(sample))
        if shape is None:
            raise ShapeError("X", "(n, features), (n, H, W) or (n, C, H, W)", f"(n, {sample})", "reshape it")
        return shape
    shape = tuple(whole("CNNClassifier", "image_shape", n, 1) for n in wanted)
    shape = (1, *shape) if len(shape) == 2 else shape
    if len(shape) != 3 or prod(shape) != prod(sample):
        remedy = "give image_shape as (C, H, W) or (H, W) of one image"
        raise ShapeError("CNNClassifier", f"image_shape for {prod(sample)} features", f"{tuple(wanted)}", remedy)
    return shape
