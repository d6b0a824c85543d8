"""H-Net that is told the kept fraction: you only train once, for every rate."""

from torch import Tensor

from et_lite.config import TrainingConfig
from et_lite.layers import FourierFeatures, Posterior
from et_lite.methods.hnet import HNet


class HNetYoto(HNet):
    """H-Net with the kept fraction as a condition of every block (Dosovitskiy and Djolonga 2020).

    The fraction is drawn for each clip in training. Inner latents depend on it, so a clip is
    encoded anew for every rate. `paper` has 54 026 624 parameters.
    """

    conditioned = True

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__(config)
        self.condition = FourierFeatures(config.hnet.frequencies, config.hnet.condition)

    def encode(self, x: Tensor, keep: Tensor | None = None) -> Posterior:
        """The posterior over inner latents for the kept fractions (B,)."""
        return Posterior.from_features(self.encoder(x, self.condition(_given(keep))))

    def decode(self, z: Tensor, keep: Tensor | None = None) -> Tensor:
        """Outer latents from inner ones that were encoded for the same kept fractions (B,)."""
        return self.decoder(z, self.condition(_given(keep))).to(z.dtype)


def _given(keep: Tensor | None) -> Tensor:
    """ValueError when the kept fraction is missing."""
    if keep is None:
        raise ValueError("keep is None, and hnet_yoto needs kept fractions: give one for each clip")
    return keep
