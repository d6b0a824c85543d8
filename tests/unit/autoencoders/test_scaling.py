"""Latents brought to mean zero and variance one."""

from dataclasses import replace

import pytest
import torch

from et_lite.autoencoders import (
    ScaledAutoencoder,
    Scaling,
    load_autoencoder,
    measure_scaling,
    transformers_codecs,
)
from tests.unit.autoencoders.small import Ramp, noise


def test_scaled_latents_have_zero_mean_and_unit_variance() -> None:
    waves = [torch.randn(1, 4000), 3 + torch.randn(2, 1000)]
    scaling = measure_scaling(Ramp(), waves)
    scaled = ScaledAutoencoder(Ramp(), scaling)
    found = [scaled.encode(wave) for wave in waves]
    drawn = torch.cat([p.sample(torch.Generator()).transpose(0, 1).flatten(1) for p in found], 1)
    torch.testing.assert_close(drawn.mean(dim=1), torch.zeros(3), atol=0.05, rtol=0)
    torch.testing.assert_close(drawn.std(dim=1), torch.tensor([1.0, 1, 0]), atol=0.05, rtol=0)
    torch.testing.assert_close(scaled.decode(found[1].mean), waves[1], atol=1e-5, rtol=0)
    with pytest.raises(ValueError, match="0 sounds"):
        measure_scaling(Ramp(), [])


def test_a_scaling_belongs_to_its_autoencoder_and_changes_its_identity(tmp_path) -> None:
    scaling = measure_scaling(Ramp(), [torch.randn(1, 100)])
    scaling.save(tmp_path / "scaling.safetensors")
    again = Scaling.load(tmp_path / "scaling.safetensors")
    scaled = ScaledAutoencoder(Ramp(), again)
    assert scaled.identity == ScaledAutoencoder(Ramp(), scaling).identity != Ramp.identity
    other = replace(again, mean=again.mean + 1)
    assert ScaledAutoencoder(Ramp(), other).identity != scaled.identity
    with pytest.raises(ValueError, match=r"another ramp \(eeeeeeee, this is dddddddd\)"):
        ScaledAutoencoder(Ramp(), replace(again, made_by="e" * 64))
    (tmp_path / "bad.safetensors").write_bytes(b"?" * 100)
    for name in ("bad.safetensors", "none.safetensors"):
        with pytest.raises(ValueError, match=f"{name} holds no scaling.*measure it again"):
            Scaling.load(tmp_path / name)


@pytest.mark.parametrize("kind", ["dac", "encodec"])
def test_a_scaling_beside_the_weights_is_applied(load, folders, kind) -> None:
    plain = load(kind)
    waves = [noise(plain, 40)]
    file = folders / kind / transformers_codecs.SCALING
    measure_scaling(plain, waves).save(file)
    try:
        scaled = load_autoencoder(kind)
    finally:
        file.unlink()
    latents = scaled.encode(waves[0]).mean
    torch.testing.assert_close(latents.std(dim=-1, correction=0), torch.ones(1, plain.channels))
    torch.testing.assert_close(
        scaled.decode(latents), plain.decode(plain.encode(waves[0]).mean), atol=1e-5, rtol=1e-4
    )
