"""Elastic Time: keep the latent frames that cannot be predicted, roll the others out again."""

__version__ = "0.1.0"
