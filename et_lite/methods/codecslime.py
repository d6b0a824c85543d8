"""CodecSlime: segments of alike frames, each replaced by its mean; melted first, then cooled."""

import numpy as np
import torch
from torch import Tensor

from et_lite.config import CodecSlimeConfig
from et_lite.methods.base import HoldingMethod, Stage
from et_lite.segments import Integers, Segmentation
from et_lite.solvers import solve, solve_rows
from et_lite.solvers.selection import SelectionPath


class CodecSlime(HoldingMethod):
    """The baseline of Wang et al. (2026) as Bralios et al. (2026) re-implement it.

    Melt trains everything on random segments, which grow longer; cool freezes the encoder and
    trains on the segments that the exact solver finds. Any solver can read its costs.
    """

    solver = "codecslime"

    def stage(self, progress: float) -> Stage:
        """Melt, then cool."""
        settings = self.config.codecslime
        if progress < settings.melt:
            return Stage(end=settings.melt)
        return Stage(start=settings.melt, rate=settings.cool_rate, frozen=("encoder",))

    def draw_targets(
        self, numbers: np.random.Generator, batch: int, frames: int, progress: float = 0.0
    ) -> np.ndarray:
        """In melt the offsets of random segments (B, T), in cool kept lengths (B,)."""
        settings, stage = self.config.codecslime, self.stage(progress)
        if stage.frozen:
            return super().draw_targets(numbers, batch, frames)
        offsets = np.zeros((batch, frames), np.int64)
        for clip in np.flatnonzero(numbers.random(batch) >= settings.whole):
            lengths = melted(numbers, frames, stage.passed(progress), settings)
            offsets[clip] = Segmentation(lengths).offsets
        return offsets

    def choose(self, z: Tensor, targets: np.ndarray) -> list[Segmentation]:
        """The segments that melt drew, or the best of (B, C, T) at the lengths that cool asks."""
        if targets.ndim == 2:
            return [Segmentation.from_offsets(row) for row in targets]
        costs = spread_costs(z, self.config.selection.max_offset).cpu().numpy()
        return [s.segmentation for s in solve_rows(self.solver, costs, targets)]

    @torch.no_grad()
    def costs(self, z: Tensor) -> np.ndarray:
        """The cost table (T, min(3, T − 1)) of one clip (C, T)."""
        limit = min(self.config.selection.max_offset, z.shape[-1] - 1)
        return spread_costs(z[None], limit)[0].cpu().numpy()

    def path(self, z: Tensor, solver: str | None = None) -> SelectionPath:
        """The choice at every rate by any solver; the table is computed once."""
        return solve(solver or self.solver, self.costs(z))

    def pack(self, z: Tensor, segmentation: Segmentation) -> Tensor:
        """The mean of every segment, (C, T) to (C, N)."""
        lengths = torch.from_numpy(segmentation.lengths.copy()).to(z.device)
        owner = torch.arange(len(lengths), device=z.device).repeat_interleave(lengths)
        return z.new_zeros(len(z), len(lengths)).index_add(1, owner, z) / lengths


def melted(
    numbers: np.random.Generator, frames: int, passed: float, settings: CodecSlimeConfig
) -> Integers:
    """Random segment lengths (N,) of a clip, longer the more of melt has `passed` (0 to 1).

    Proportions of lengths are drawn around a mean that moves from all ones to the final one;
    rounding up leaves at least one segment of every length (Bralios et al. 2026, released code).
    """
    final = np.array(settings.proportions)
    sizes = np.arange(1, len(final) + 1)
    middle = (1 - passed) * (sizes == 1) + passed * final
    drawn = numbers.dirichlet(np.maximum(settings.concentration * middle, 1e-6))
    shares = np.maximum(drawn, 1e-30)
    counts = np.ceil(frames / (shares @ sizes) * shares).astype(np.int64)
    ends = numbers.permutation(sizes.repeat(counts)).cumsum()
    ends = ends[: np.searchsorted(ends, frames) + 1]
    ends[-1] = frames  # the last one is cut
    return np.diff(ends, prepend=0)


def spread_costs(z: Tensor, longest: int) -> Tensor:
    """Costs of growing a segment of (B, C, T) by a frame, float32 (B, T, L), L = `longest`.

    Entry [a, l − 1] is what frame a + l adds to the segment from a: a segment costs the sum of
    its frames' distances to their mean, not squared. Entries past the end are infinite.
    """
    batch, _, frames = z.shape
    table = torch.full((batch, frames, longest), torch.inf, device=z.device)
    before = torch.zeros(batch, frames, device=z.device)
    for length in range(2, min(longest + 1, frames) + 1):
        runs = z.float().unfold(-1, length, 1)  # (B, C, T − length + 1, length)
        spread = (runs - runs.mean(dim=-1, keepdim=True)).norm(dim=1).sum(dim=-1)
        starts = spread.shape[-1]
        table[:, :starts, length - 2] = spread - before[:, :starts]
        before = spread
    return table
