"""A training for ``whygrad diagnose my_training.py``: replace what is below by your own.

Needed are params, loss, learning_rate, batch, and gradients or step. All else may be left out.
The file is executed in a process of its own; nothing in it has to train.
"""

import numpy as np

rng = np.random.default_rng(0)
x = rng.normal(size=(256, 2))  # samples first
t = (x[:, 0] * x[:, 1] > 0).astype(int)  # class indices from 0, one-hot rows, or numbers

# Arrays by name, in the order of the layers, as the training starts from them. Lists of arrays will do as well.
params = {
    "w1": rng.normal(size=(2, 16)) * np.sqrt(2 / 2),
    "b1": np.zeros(16),
    "w2": rng.normal(size=(16, 2)) * np.sqrt(2 / 16),
    "b2": np.zeros(2),
}
learning_rate = 0.3
momentum = 0.0  # of plain gradient descent, where there is no step
batch = x[:64], t[:64]  # what loss, gradients and step take: one batch
data = x, t  # all samples, in the order of training; or batches = [...]


def forward(params, x):
    """Return the hidden layer and the logits."""
    h = np.maximum(x @ params["w1"] + params["b1"], 0)
    return h, h @ params["w2"] + params["b2"]


def log_softmax(z):
    """Return log p without overflow."""
    z = z - z.max(axis=1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


def loss(params, batch):
    """Return one number."""
    x, t = batch
    return -log_softmax(forward(params, x)[1])[np.arange(len(t)), t].mean()


def gradients(params, batch):
    """Return the gradients of the loss by the names of params."""
    x, t = batch
    h, z = forward(params, x)
    dz = np.exp(log_softmax(z))
    dz[np.arange(len(t)), t] -= 1
    dz /= len(t)
    dh = dz @ params["w2"].T * (h > 0)
    return {"w1": x.T @ dh, "b1": dh.sum(axis=0), "w2": h.T @ dz, "b2": dz.sum(axis=0)}


def step(params, batch):
    """Make one update: return new parameters, or write to params. Leave it out for plain gradient descent."""
    return {name: params[name] - learning_rate * g for name, g in gradients(params, batch).items()}


def predict(params, x):
    """Return classes, probabilities or scores of samples, as after training. May be left out."""
    return forward(params, x)[1]


# evaluate(params, batch): the loss in evaluation, where it is computed in another way than in training.
# optimizer = "adam": what step is meant to be. classes = 2: where the shapes do not tell.
