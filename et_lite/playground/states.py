"""What a solver makes of a clip under a segment cap, beside the least cost there is."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from et_lite import audio
from et_lite.codec import Analysis, ElasticCodec
from et_lite.methods.elastic_time import ElasticTime
from et_lite.solvers import solve
from et_lite.solvers.selection import Selection, SelectionPath

CAPS = (1, 2, 3, 4, 6, 12)  # recorded values of K
EXACT = "dp"


@dataclass(frozen=True)
class State:
    """One setting of the playground, and the exact solver's answer to the same (book: sweep)."""

    solver: str
    cap: int  # K
    chosen: Selection
    least: Selection  # as many frames as `chosen`, at the least cost

    @property
    def gap(self) -> float:
        """How far the cost lies above the least one, as a share of that."""
        least = self.least.cost
        return self.chosen.cost / least - 1 if least > 0 else 0.0

    @property
    def told(self) -> str:
        """The state in words, the same as in the page's recorded version."""
        chosen, cut = self.chosen, self.chosen.segmentation
        missed = (
            "" if chosen.reached else f" Asked for {chosen.requested}: {self.solver} ends here."
        )
        return (
            f"{cut.kept} of {cut.frames} frames kept ({cut.kept_fraction:.3f}), the longest "
            f"segment {cut.max_offset + 1}. Cost {chosen.cost:.2f}, {100 * self.gap:.1f} % above "
            f"the least.{missed}"
        )


@dataclass(frozen=True, eq=False)
class Table:
    """A clip (n,) at `rate` hertz with its one cost table (T, L), which answers every setting."""

    codec: ElasticCodec
    wave: NDArray
    rate: int
    analysis: Analysis
    costs: NDArray  # e[a, l]

    @property
    def frames(self) -> int:
        """T."""
        return len(self.costs)

    def path(self, solver: str, cap: int) -> SelectionPath:
        """A solver's answers at every kept length, with at most `cap` frames replaced in a row.

        ValueError for an unknown solver and for a cap that the table does not hold.
        """
        most = self.costs.shape[1]
        if not 1 <= cap <= most:
            raise ValueError(f"cap {cap} is not in 1 to {most}, the steps of the table: choose one")
        return solve(solver, self.costs[:, :cap])

    def at(self, solver: str, cap: int, kept: int) -> State:
        """What is kept of the clip at one setting. ValueError as in `path`, and for a bad length.

        Below a solver's floor it is what the solver gives instead.
        """
        chosen = self.path(solver, cap).at(kept)
        least = self.path(EXACT, cap).at(chosen.segmentation.kept)
        return State(solver, cap, chosen, least)

    def heard(self, state: State) -> NDArray:
        """The sound (n,) that is rebuilt from the frames kept in a state."""
        path = self.path(state.solver, state.cap)
        analysis = replace(self.analysis, paths=[path], solver=state.solver)
        kept = state.chosen.segmentation.kept
        return self.codec.decompress(self.codec.pack(analysis, kept / self.frames))[0]


def table_of(codec: ElasticCodec, wave: NDArray, rate: int) -> Table:
    """The table of a mono sound (n,) at `rate` hertz: encoded and rolled out once (book: sweep).

    ValueError for a model that predicts nothing, and for more than one channel.
    """
    if not isinstance(codec.method, ElasticTime):
        raise ValueError(f"{codec.name} predicts nothing: choose a model of Elastic Time")
    streams, rate = audio.as_streams(wave, rate)
    if len(streams) != 1:
        raise ValueError(f"the clip has {len(streams)} channels, not 1: mix it to mono")
    analysis = codec.analyse(streams, rate, EXACT)
    return Table(
        codec, streams[0], rate, analysis, np.asarray(codec.method.costs(analysis.latents[0]))
    )
