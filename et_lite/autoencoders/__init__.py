"""Frozen base autoencoders behind one small interface, one file a kind, and their registry."""

from et_lite.autoencoders.base import Autoencoder, fingerprint
from et_lite.autoencoders.registry import BUNDLED, REGISTRY, WEIGHTS, load_autoencoder
from et_lite.autoencoders.scaling import ScaledAutoencoder, Scaling, measure_scaling
from et_lite.autoencoders.spectral import SpectralAutoencoder, load_spectral
from et_lite.autoencoders.stable_audio import StableAudioOpen
from et_lite.autoencoders.transformers_codecs import load_dac, load_encodec
from et_lite.autoencoders.waveform import Layout, WaveformAutoencoder, exact

__all__ = [
    "BUNDLED",
    "REGISTRY",
    "WEIGHTS",
    "Autoencoder",
    "Layout",
    "ScaledAutoencoder",
    "Scaling",
    "SpectralAutoencoder",
    "StableAudioOpen",
    "WaveformAutoencoder",
    "exact",
    "fingerprint",
    "load_autoencoder",
    "load_dac",
    "load_encodec",
    "load_spectral",
    "measure_scaling",
]
