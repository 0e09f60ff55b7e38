"""Ready models, each a function that builds it."""

from whygrad.models.compact_cnn import compact_cnn
from whygrad.models.digits_cnn import digits_cnn
from whygrad.models.lenet5 import lenet5
from whygrad.models.mnist_cnn import mnist_cnn
from whygrad.models.registry import MODELS, ModelBuilder, model_builder
from whygrad.models.resnet20 import resnet20
from whygrad.models.vgg_slim import vgg_slim
from whygrad.models.vgg_small import vgg_small

__all__ = [
    "MODELS",
    "ModelBuilder",
    "compact_cnn",
    "digits_cnn",
    "lenet5",
    "mnist_cnn",
    "model_builder",
    "resnet20",
    "vgg_slim",
    "vgg_small",
]
