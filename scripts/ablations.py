"""What each part of Elastic Time is worth: assets/results/ablations.* (book: evaluation).

    python scripts/ablations.py --corpus corpus

At one half of the frames, on every evaluation crop: other solvers, predictors, caps and samples on
the shipped weights, and the models of `config.ABLATIONS`, which `make models` trains without one
part. Each is compared on the same crops with the model that it is a change of.
"""

import argparse
import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from et_lite.codec import Analysis, ElasticCodec
from et_lite.config import ABLATIONS
from et_lite.embeddings import load_embeddings
from et_lite.evaluation import crops, evaluate
from et_lite.methods.elastic_time import ElasticTime
from et_lite.predictor import Predictor
from et_lite.runs import prepare_cpu
from et_lite.solvers import SOLVERS
from et_lite.storage import ASSETS, file_hash
from et_lite.sweep import Cell, Model

KEEP = 0.5
SHIPPED = ("et-greedy", "et-dp")
CAPS = (2, 4)  # beside the 12 of the presets
Rebuild = Callable[[Tensor, Tensor], Tensor]  # anchors (C, N) and lengths (N,) to (C, T)


def held(anchors: Tensor, lengths: Tensor) -> Tensor:
    """Every frame is the last kept one."""
    return anchors.repeat_interleave(lengths, dim=1)


def interpolated(anchors: Tensor, lengths: Tensor) -> Tensor:
    """Every frame lies on the straight line from its anchor to the next; the last one is held."""
    lengths = lengths.to(torch.int64)
    places = torch.repeat_interleave(torch.arange(len(lengths)), lengths)
    offsets = torch.arange(len(places)) - (lengths.cumsum(0) - lengths)[places]
    following = torch.cat([anchors[:, 1:], anchors[:, -1:]], dim=1)
    return torch.lerp(anchors[:, places], following[:, places], offsets / lengths[places])


class HoldingPredictor(Predictor):
    """A predictor that says that nothing changes: its costs are those of holding."""

    def rollout(self, latents: Tensor, horizon: int, tracked: int | None = None) -> Tensor:
        """(B, C, T) to (B, horizon, C, T), the anchor each time."""
        return latents[:, None].expand(-1, horizon, -1, -1)

    def unroll(self, anchors: Tensor, lengths: Tensor) -> Tensor:
        """(C, N) and (N,) to (C, T)."""
        return held(anchors, lengths)


class SamplingCodec(ElasticCodec):
    """Inner latents drawn from the posterior, as in training, where codecs take its mean."""

    def recode(
        self,
        x: Tensor,
        rate: int,
        samples: int,
        sample: torch.Generator | None = None,
        keep: float = 1.0,
    ) -> Analysis:
        """As `ElasticCodec.recode`, with a generator that every crop starts anew."""
        return super().recode(x, rate, samples, torch.Generator().manual_seed(0), keep)


def changed(
    codec: ElasticCodec,
    label: str,
    change: Callable[[ElasticTime], None],
    kind: type = ElasticCodec,
) -> Model:
    """The same weights with one thing changed, as a system of its own."""
    method = copy.deepcopy(codec.method)
    assert isinstance(method, ElasticTime)
    change(method)
    identity = f"{codec.identity} {file_hash(Path(__file__))} {label}"
    name = f"{codec.name}, {label}"
    variant = kind(name, codec.autoencoder, method, codec.window, identity)
    return Model(variant, name, method.config.seed, (Cell(variant.solver, KEEP),))


def fill(rebuild: Rebuild) -> Callable[[ElasticTime], None]:
    """The frames that the predictor chose, with others in the place of its rollouts."""

    def change(method: ElasticTime) -> None:
        method.unpack = rebuild  # type: ignore[method-assign]

    return change


def cap(frames: int) -> Callable[[ElasticTime], None]:
    """No rollout longer than so many frames."""

    def change(method: ElasticTime) -> None:
        selection = replace(method.config.selection, max_offset=frames)
        method.config = replace(method.config, selection=selection)

    return change


def hold(method: ElasticTime) -> None:
    """Choose and rebuild as if nothing ever changed."""
    method.predictor = HoldingPredictor(method.predictor.config)


def nothing(method: ElasticTime) -> None:
    """Leave it as it is."""


def variants(codec: ElasticCodec) -> list[Model]:
    """All changes of one trained model, itself first."""
    cells = tuple(Cell(solver, KEEP) for solver in (codec.solver, *SOLVERS))
    plain = Model(codec, codec.name, codec.method.config.seed, tuple(dict.fromkeys(cells)))
    return [
        plain,
        changed(codec, "its choice held", fill(held)),
        changed(codec, "its choice interpolated", fill(interpolated)),
        changed(codec, "holding chooses and fills", hold),
        *(changed(codec, f"K = {frames}", cap(frames)) for frames in CAPS),
        changed(codec, "sampled", nothing, SamplingCodec),
    ]


def trained(folder: Path) -> list[Model]:
    """The models that were trained without one part."""
    codecs = [ElasticCodec.from_pretrained(folder / name) for name in ABLATIONS]
    return [
        Model(codec, codec.name, codec.method.config.seed, (Cell(codec.solver, KEEP),))
        for codec in codecs
    ]


def compared(models: Sequence[Model]) -> list[tuple[str, str]]:
    """Every change with the model that it is a change of."""
    names = [model.system for model in models]
    return [(name, base) for name in names for base in SHIPPED if name.startswith(f"{base}, ")] + [
        (name, "et-greedy") for name in names if name in ABLATIONS
    ]


def main() -> None:
    """Measure all of them and write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--trained", type=Path, default=Path("runs/ablations"))
    parser.add_argument("--crops", type=int, help="so many a domain instead of all")
    parser.add_argument("--run-dir", type=Path, default=Path("runs/evaluate"))
    parser.add_argument("-o", "--output", type=Path, default=ASSETS / "results" / "ablations")
    given = parser.parse_args()
    torch.set_num_threads(1)
    prepare_cpu()
    shipped = [ElasticCodec.from_pretrained(name) for name in SHIPPED]
    models = [m for codec in shipped for m in variants(codec)] + trained(given.trained)
    count, chosen = crops(given.corpus, given.crops)
    bar = tqdm(chosen, total=count, unit="crop", disable=None)
    card = {
        "command": "python scripts/ablations.py --corpus corpus",
        "corpus": file_hash(given.corpus / "manifest.csv"),
    }
    pairs, embeddings = compared(models), load_embeddings()
    evaluate(models, bar, given.run_dir, given.output, pairs, card, embeddings)


if __name__ == "__main__":
    main()
