"""The serving room: answers HTTP requests from published checkpoints; knows nothing of training."""

__version__ = "0.1.0"
