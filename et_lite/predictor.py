"""The predictor of the next latent frame, its rollout, and the step costs every solver reads.

A frame that the rollout from the last kept frame comes close to need not be kept
(Bralios et al. 2026, section 2.2; book: predictor).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from et_lite.config import PredictorConfig

# On CPUs a bf16 product of a new shape costs the compilation of a kernel for it. In training the
# rows of an unrolled batch would have another number every time.
BLOCK = 128
# A predictor begins by holding: its inputs are so small that tanh is straight, and the bias of its
# update gates lets most of a new state in.
SMALL, OPEN = 0.2, -4.0


class Predictor(nn.Module):
    """One step of a three-layer GRU with a gated output layer: 511 808 parameters at 64 channels.

    Each row of a batch is one column of the latents and knows nothing of the others. The state
    starts anew at every anchor, from one trainable vector shared by the layers.
    """

    def __init__(self, config: PredictorConfig) -> None:
        super().__init__()
        self.config = config
        hidden = config.hidden
        self.enter = nn.Linear(config.channels, hidden)
        self.cells = nn.ModuleList(nn.GRUCell(hidden, hidden) for _ in range(config.layers))
        self.norm = nn.RMSNorm(hidden)
        self.gate = nn.Linear(hidden, config.inner)
        self.value = nn.Linear(hidden, config.inner)
        self.narrow = nn.Linear(config.inner, hidden)
        self.leave = nn.Linear(hidden, config.channels)
        self.start = nn.Parameter(torch.zeros(hidden))
        self._begin_by_holding()

    @torch.no_grad()
    def _begin_by_holding(self) -> None:
        """Set weights with which every prediction is nearly the anchor itself.

        Three gated layers take long to find out how to copy, and a predictor that cannot copy is
        of no use to a solver (book: differences).
        """
        hidden = self.config.hidden
        nn.init.orthogonal_(self.enter.weight, gain=SMALL)
        for cell in self.cells:
            assert isinstance(cell, nn.GRUCell)
            update, new = slice(hidden, 2 * hidden), slice(2 * hidden, None)  # rows: reset first
            nn.init.eye_(cell.weight_ih[new])
            nn.init.zeros_(cell.weight_hh[new])
            for bias in (cell.bias_ih, cell.bias_hh):
                nn.init.zeros_(bias[hidden:])
            nn.init.constant_(cell.bias_ih[update], OPEN)
        for zero in (self.enter.bias, self.narrow.weight, self.narrow.bias, self.leave.bias):
            nn.init.zeros_(zero)
        passed = torch.sigmoid(torch.tensor(-OPEN)) ** len(self.cells)
        self.leave.weight.copy_(self.enter.weight.t() / (SMALL**2 * passed))

    def step(self, frame: Tensor, state: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The next frame and state: (R, C) and (R, layers, hidden) to the same shapes.

        `state=None` is a fresh start at an anchor. The state has the precision that autocast
        computes in, the frame that of the one given.
        """
        hidden, kept = self.enter(frame), []
        if state is None:  # one row that broadcasts, since every anchor starts the same
            state = self.start.to(hidden.dtype).expand(1, len(self.cells), -1)
        for cell, previous in zip(self.cells, state.unbind(1), strict=True):
            assert isinstance(cell, nn.GRUCell)
            hidden = _gru(cell, hidden, previous)
            kept.append(hidden)
        normal = self.norm(hidden.to(frame.dtype))
        hidden = hidden + self.narrow(F.silu(self.gate(normal)) * self.value(normal))
        return self.leave(hidden).to(frame.dtype), torch.stack(kept, dim=1)

    def rollout(self, latents: Tensor, horizon: int, tracked: int | None = None) -> Tensor:
        """Predictions from every frame as anchor, (B, C, T) to (B, horizon, C, T).

        Entry [b, l − 1, :, a] predicts frame a + l from anchor a; it means something only
        where a + l < T. Gradients pass through the first `tracked` steps, `None` being all.
        """
        batch, channels, frames = latents.shape
        frame, state, steps = latents.transpose(1, 2).reshape(-1, channels), None, []
        for step in range(horizon):
            wanted = torch.is_grad_enabled() and (tracked is None or step < tracked)
            with torch.set_grad_enabled(wanted):
                frame, state = self.step(frame, state)
            steps.append(frame)
        stacked = torch.stack(steps) if steps else latents.new_zeros(0, batch * frames, channels)
        return stacked.view(horizon, batch, frames, channels).permute(1, 0, 3, 2)

    def unroll(self, anchors: Tensor, lengths: Tensor) -> Tensor:
        """Rebuild the frames from what is kept: anchors (C, N) and lengths (N,) to (C, T).

        Each segment is its anchor followed by the rollout from it. Segments that have ended
        leave the batch, so this costs exactly T − N predictor columns (book: chunking).
        With gradients, which reach anchors and predictor, they leave in whole blocks.
        """
        lengths = lengths.cpu()  # what follows is bookkeeping, and decides how many rows there are
        starts = lengths.cumsum(0) - lengths
        order = lengths.argsort(descending=True, stable=True)
        # How many segments are longer than l, for every l: one pass instead of one a step.
        longer = torch.bincount(lengths).flip(0).cumsum(0).flip(0)[1:].tolist()
        places = torch.cat([starts[order[:rows]] + offset for offset, rows in enumerate(longer)])
        frame, state = anchors.t()[order.to(anchors.device)], None
        pieces = [frame]
        block = BLOCK if torch.is_grad_enabled() else 1
        for rows in longer[1:]:
            stay = -(-rows // block) * block  # or all that are left, if that is fewer
            frame, state = self.step(frame[:stay], None if state is None else state[:stay])
            pieces.append(frame[:rows])
        return torch.cat(pieces)[places.argsort().to(anchors.device)].t()


def _gru(cell: nn.GRUCell, x: Tensor, state: Tensor) -> Tensor:
    """PyTorch's GRUCell equations as two matrix products, so that autocast reaches them."""
    reset_x, update_x, new_x = F.linear(x, cell.weight_ih, cell.bias_ih).chunk(3, dim=-1)
    reset_h, update_h, new_h = F.linear(state, cell.weight_hh, cell.bias_hh).chunk(3, dim=-1)
    new = torch.tanh(torch.addcmul(new_x, torch.sigmoid(reset_x + reset_h), new_h))
    return torch.lerp(new, state, torch.sigmoid(update_x + update_h))


def step_costs(latents: Tensor, predictions: Tensor) -> Tensor:
    """Cost table e[a, l], float32 (B, T, L): squared error of predicting frame a + l from anchor a.

    Mean over channels, no normalisation (Bralios et al. 2026, equation for the segment cost;
    book: chunking). `latents` (B, C, T) and `predictions` (B, L, C, T). Entries past the end
    of the clip are infinite.
    """
    batch, horizon, _, frames = predictions.shape
    table = torch.full((batch, frames, horizon), torch.inf, device=latents.device)
    for offset in range(1, min(horizon, frames - 1) + 1):
        error = predictions[:, offset - 1, :, : frames - offset].float() - latents[:, :, offset:]
        table[:, : frames - offset, offset - 1] = error.square().mean(dim=1)
    return table


def rollout_loss(latents: Tensor, predictions: Tensor, horizon: int) -> Tensor:
    """Mean squared error over `horizon` steps from every anchor, in units of the target's variance.

    Σₖ (T − k) · mean((rₖ / sₖ)²) / Σₖ (T − k), with sₖ one biased standard deviation over the
    batch, floor 1e-5; the targets take no gradient (Bralios et al. 2026; book: predictor).
    """
    frames = latents.shape[-1]
    total, weight = latents.new_zeros(()), 0
    # Taken apart at once: one slice a step would cost a whole table of zeros each on the way back.
    steps = predictions.unbind(1)[: min(horizon, frames - 1)]
    for k, prediction in enumerate(steps, start=1):
        target = latents[:, :, k:].detach()
        spread = target.std(correction=0).clamp_min(1e-5)
        error = (prediction[:, :, : frames - k] - target) / spread
        total = total + (frames - k) * error.square().mean()
        weight += frames - k
    return total / max(weight, 1)


def replaced_loss(latents: Tensor, mixed: Tensor, offsets: Tensor) -> Tensor:
    """Mean squared error on the frames in fact replaced, in units of their variance; 0 if none."""
    # Sums under a mask rather than a selection: no wait for the device to count the frames.
    replaced = (offsets > 0)[:, None].expand_as(latents).to(latents.dtype)
    target, count = latents.detach(), replaced.sum().clamp_min(1)
    centred = (target - (target * replaced).sum() / count) * replaced
    spread = (centred.square().sum() / count).sqrt().clamp_min(1e-6)
    return (((mixed - target) * replaced / spread).square().sum()) / count
