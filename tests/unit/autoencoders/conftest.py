"""Small networks saved as the published ones are, and loaded from there."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import transformers
from torch import nn

from et_lite.autoencoders import (
    WaveformAutoencoder,
    load_autoencoder,
    published,
    stable_audio,
    transformers_codecs,
)
from tests.unit.autoencoders.small import TINY_DAC, TINY_ENCODEC, tiny_oobleck


@pytest.fixture(autouse=True)
def no_folder(monkeypatch) -> None:
    monkeypatch.delenv(published.FOLDER, raising=False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> Path:
    """Small networks of the three kinds, each in its published layout."""
    torch.manual_seed(0)
    root = tmp_path_factory.mktemp("autoencoders")
    tiny_oobleck().save_pretrained(root / "stable-audio-open" / "vae")
    dac = transformers.DacModel(transformers.DacConfig(**TINY_DAC))
    for part in dac.modules():
        if isinstance(part, nn.Conv1d):
            part.reset_parameters()  # the library's own start is so small that nothing would show
    dac.save_pretrained(root / "dac")
    transformers.EncodecModel(transformers.EncodecConfig(**TINY_ENCODEC)).save_pretrained(
        root / "encodec"
    )
    return root


@pytest.fixture
def load(folders, monkeypatch):
    """A small autoencoder of a kind, with pieces of a given length."""
    monkeypatch.setenv(published.FOLDER, str(folders))
    monkeypatch.setattr(stable_audio, "build_network", lambda backend: tiny_oobleck())
    for module, name, channels in (
        (stable_audio, "LAYOUT", 4),
        (transformers_codecs, "DAC", 32),
        (transformers_codecs, "ENCODEC", 6),
    ):
        monkeypatch.setattr(module, name, replace(getattr(module, name), channels=channels))

    def loaded(kind: str, piece: int = 10_000) -> WaveformAutoencoder:
        autoencoder = load_autoencoder(kind)
        autoencoder.layout = replace(autoencoder.layout, piece=piece)
        return autoencoder

    return loaded
