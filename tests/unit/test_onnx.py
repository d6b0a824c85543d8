"""The bundled networks export to ONNX and compute the same numbers there, at any length.

The transforms around them (framing, FFT) are left out: each runtime has its own.
"""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from et_lite.config import PhaseHeadConfig, SpectralVAEConfig
from et_lite.phase_head import PhaseHead
from et_lite.spectral_vae import SpectralVAE

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:copyreg")  # torch's own


class Encoder(nn.Module):
    """Features (B, 640, T) to the posterior's mean and scale, each (B, C, T)."""

    def __init__(self, vae: SpectralVAE) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        posterior = self.vae.posterior(features)
        return posterior.mean, posterior.scale


class Decoder(nn.Module):
    """Latents (B, C, T) to scaled log-mel frames (B, 160, 4T)."""

    def __init__(self, vae: SpectralVAE) -> None:
        super().__init__()
        self.vae = vae

    def forward(self, latents: Tensor) -> tuple[Tensor]:
        return (self.vae.decode(latents),)


class Phase(nn.Module):
    """Scaled log-mel frames (B, 160, F) to correction and phase, each (B, 1025, F)."""

    def __init__(self, head: PhaseHead) -> None:
        super().__init__()
        self.stack = head.stack

    def forward(self, log_mel: Tensor) -> tuple[Tensor, ...]:
        return self.stack(log_mel).chunk(2, dim=1)


@pytest.fixture(scope="module")
def vae() -> SpectralVAE:
    torch.manual_seed(0)
    vae = SpectralVAE(SpectralVAEConfig(channels=8, width=16, blocks=2)).eval()
    vae.latent_mean.normal_()
    vae.latent_scale.uniform_(0.5, 2)
    return vae


def check(network: nn.Module, channels: int) -> None:
    """Export with a free time axis, and compare at lengths other than the exported one."""
    network.eval()
    example = torch.randn(2, channels, 24)
    program = torch.onnx.export(
        network,
        (example,),
        dynamo=True,
        dynamic_shapes=({0: torch.export.Dim("batch"), 2: torch.export.Dim("time")},),
        input_names=["input"],
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    assert {node.domain for node in model.graph.node} == {""}  # standard operators only
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    for batch, frames in ((1, 1), (2, 24), (3, 77)):
        x = torch.randn(batch, channels, frames)
        with torch.no_grad():
            expected = network(x)
        found = session.run(None, {"input": x.numpy()})
        assert len(found) == len(expected)
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b.numpy(), atol=1e-4, rtol=1e-4)


def test_encoder_to_mean_and_scale(vae: SpectralVAE) -> None:
    check(Encoder(vae), vae.config.group * vae.config.bands)


def test_decoder_to_log_mel(vae: SpectralVAE) -> None:
    check(Decoder(vae), vae.config.channels)


def test_phase_head_to_magnitude_and_phase() -> None:
    torch.manual_seed(0)
    head = PhaseHead(PhaseHeadConfig(width=16, blocks=2))
    check(Phase(head), head.config.bands)
