"""A training small enough to run often: a convolution, dropout and a dense layer on a few digits."""

import numpy as np

from whygrad.data import load_digits
from whygrad.layers import BatchNorm2d, Conv2d, Dropout, Flatten, Linear, ReLU, Sequential
from whygrad.optim import SGD, OneCycle
from whygrad.training import fit

EPOCHS, BATCH = 3, 16


def model():
    return Sequential(
        conv1=Conv2d(1, 3, 3),
        bn1=BatchNorm2d(3),
        relu1=ReLU(),
        flatten=Flatten(),
        drop=Dropout(0.2),
        fc1=Linear(108, 10),
    )


def data(count=70):
    digits = load_digits()
    return digits.images[:count], digits.labels[:count]


def optimizer():
    return SGD(OneCycle(0.1, EPOCHS * 5), momentum=0.9, nesterov=True)


def steps(seed=0, resume=None, images=None, labels=None, **options):
    """Start a training; every call with one seed is the same training."""
    rng = np.random.default_rng(seed)
    net = model()
    params = net.init(rng)
    x, t = data()
    chosen = {"optimizer": optimizer(), "epochs": EPOCHS, "batch_size": BATCH} | options
    x, t = (x if images is None else images), (t if labels is None else labels)
    return fit(net, params, x, t, rng=rng, resume=resume, **chosen)


def same(a, b):
    """Tell whether two training states agree in every bit."""
    arrays = [(a.params, b.params), *((a.optimizer.slots[k], b.optimizer.slots[k]) for k in a.optimizer.slots)]
    rest = [(x._replace(params={}, optimizer=x.optimizer.step)) for x in (a, b)]
    return rest[0] == rest[1] and all(
        x.keys() == y.keys() and all(np.array_equal(x[k], y[k]) for k in x) for x, y in arrays
    )


def names(path):
    """Return what stands in a directory."""
    return sorted(entry.name for entry in path.iterdir())
