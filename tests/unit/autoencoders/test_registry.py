"""One's own autoencoder: the recipe, the layout, and what packages declare."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from et_lite import autoencoders
from et_lite.autoencoders import (
    REGISTRY,
    Layout,
    WaveformAutoencoder,
    exact,
    load_autoencoder,
    registry,
    stable_audio,
    transformers_codecs,
)
from tests.unit.autoencoders.small import Ramp, codec_of


class Halves(nn.Module):
    """The smallest network that fits the recipe: frames of two samples, each a channel."""

    class Split(nn.Module):
        def forward(self, wave: Tensor) -> Tensor:
            return wave.unflatten(-1, (-1, 1920)).flatten(1, 1).mean(-1).repeat(1, 16, 1)

    class Hold(nn.Module):
        def forward(self, latents: Tensor) -> Tensor:
            return latents[:, :2].repeat_interleave(1920, dim=-1)

    def __init__(self) -> None:
        super().__init__()
        self.encoder, self.decoder = self.Split(), self.Hold()

    @classmethod
    def load(cls, path: str) -> "Halves":
        return cls()


def test_the_recipe_in_the_registrys_docstring_works(monkeypatch, tmp_path) -> None:
    lines = [line[4:] for line in registry.__doc__.splitlines() if line.startswith("    ")]
    assert len([line for line in lines if line.strip()]) <= 10
    monkeypatch.chdir(tmp_path)
    Path("weights.safetensors").write_bytes(b"weights")
    exec("\n".join(lines), {"MyNetwork": Halves})
    try:
        mine = load_autoencoder("mine")
    finally:
        del REGISTRY["mine"]
    assert mine.encode(torch.zeros(2, 4000)).mean.shape == (1, 32, 3)
    wave = np.ones((2, 48_000), dtype="float32")
    codec = codec_of(mine)
    assert codec.decompress(codec.compress(wave, 48_000)).shape == (2, 48_000)


@pytest.mark.parametrize("change", [{"hop": 960}, {"hop": 3840}, {"channels": 16}])
def test_a_layout_that_is_not_the_networks_is_refused(change) -> None:
    layout = replace(Layout(48_000, 1920, 32, 2, context=1, piece=100), **change)
    network = Halves()
    mine = WaveformAutoencoder("mine", layout, network.encoder, network.decoder, "", exact)
    with pytest.raises(
        ValueError, match="mine gave (latents|features) of shape .*correct the layout"
    ):
        mine.encode(torch.zeros(2, 19_200))
    if "hop" in change:
        with pytest.raises(ValueError, match="mine gave samples of shape .*correct the layout"):
            mine.decode(torch.zeros(1, layout.channels, 4))


def test_packages_may_declare_their_own(monkeypatch) -> None:
    class Point:
        name = "declared"

        @staticmethod
        def load():
            return lambda: Ramp()

    monkeypatch.setattr(registry, "entry_points", lambda group: [Point])
    assert load_autoencoder("declared").name == "ramp"
    with pytest.raises(ValueError, match="'nothing' is not one of spectral-vae, .*, declared"):
        load_autoencoder("nothing")


def test_layouts_are_those_of_the_published_networks() -> None:
    rates = {
        name: (layout.sample_rate / layout.hop, layout.channels, layout.sound_channels)
        for name, layout in (
            ("sao", stable_audio.LAYOUT),
            ("dac", transformers_codecs.DAC),
            ("encodec", transformers_codecs.ENCODEC),
        )
    }
    assert rates == {
        "sao": (pytest.approx(21.533, abs=1e-3), 64, 2),
        "dac": (pytest.approx(86.13, abs=1e-2), 1024, 1),
        "encodec": (75.0, 128, 1),
    }
    assert isinstance(stable_audio.LAYOUT, Layout) and exact(torch.ones(1, 2, 3)).mean.all()
    assert set(autoencoders.BUNDLED) < set(REGISTRY)
