"""A convolutional network from scratch whose every gradient can be seen, checked and explained."""

__version__ = "0.1.0"
