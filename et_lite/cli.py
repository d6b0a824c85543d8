"""The command `et-lite`: sound to payload and back, training, and how good it is."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from et_lite import commands
from et_lite.config import ABLATIONS, BASE_PRESETS, PRESETS, SYSTEMS

SOLVER_HELP = "how frames are chosen: greedy, dp, agglomerative, uniform or random"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; exit code 0, or 2 with one sentence on standard error."""
    parsed = _parser().parse_args(arguments)
    # Threads that spin while they wait crawl on a machine that does anything else. Read when torch
    # is loaded, which the commands do.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    try:
        parsed.run(parsed)
    except (ValueError, OSError) as error:
        print(f"et-lite: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("et-lite: stopped; the same command goes on from there", file=sys.stderr)
        return 130
    return 0


class _Parser(argparse.ArgumentParser):
    """One sentence on a wrong option instead of the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="et-lite", description=__doc__)
    choose = parser.add_subparsers(required=True, metavar="COMMAND")

    add = choose.add_parser("compress", help="sound file to elastic payload (.etp)")
    add.add_argument("input", type=Path, help="WAV, FLAC, OGG or MP3")
    add.add_argument("-o", "--output", type=Path, help="payload to write; default INPUT.etp")
    add.add_argument("--keep", type=float, default=0.5, help="kept fraction of frames, over 0 to 1")
    add.add_argument("--solver", help=SOLVER_HELP)
    add.add_argument("--model", default="et-greedy", help="shipped model, or path without suffix")
    add.add_argument(
        "--precision", default="float16", help="of the kept frames: float16 or float32"
    )
    add.set_defaults(run=commands.compress)

    add = choose.add_parser("decompress", help="elastic payload to sound file")
    add.add_argument("input", type=Path, help=".etp file")
    add.add_argument("-o", "--output", type=Path, help="sound to write; default INPUT.decoded.wav")
    add.add_argument("--model", help="path without suffix, for a model that is not shipped")
    add.set_defaults(run=commands.decompress)

    add = choose.add_parser("info", help="what a payload holds")
    add.add_argument("input", type=Path, help=".etp file")
    add.set_defaults(run=commands.info)

    add = choose.add_parser("train-base", help="train the bundled autoencoder on a corpus")
    add.add_argument("corpus", type=Path, help="folder that scripts/build_corpus.py made")
    add.add_argument("--preset", choices=sorted(BASE_PRESETS), default="cpu")
    add.add_argument("--steps", type=_positive, help="of the autoencoder, instead of the preset's")
    add.add_argument("--phase-steps", type=_positive, help="of the phase decoder, likewise")
    add.add_argument("--seed", type=int, default=0)
    add.add_argument("--run-dir", type=Path, default=Path("runs"), help="checkpoints and logs")
    add.add_argument("-o", "--output", type=Path, default=Path("assets/weights"), help="folder")
    add.set_defaults(run=commands.train_base)

    add = choose.add_parser("preencode", help="sounds to latents for training")
    add.add_argument("source", type=Path, help="folder of sound files, or a corpus")
    add.add_argument(
        "-o", "--output", type=Path, required=True, help="folder of shards; one .safetensors file"
    )
    add.add_argument("--autoencoder", default="spectral-vae")
    add.add_argument("--workers", type=_positive, default=1, help="processes, each with a network")
    add.add_argument(
        "--longest", type=float, help="seconds encoded at once; default 300, of a corpus 30"
    )
    add.add_argument("--domain", default="music", help="of files in no folder called as one")
    only = add.add_argument_group("of a corpus that scripts/build_corpus.py made")
    only.add_argument("--split", choices=("train", "valid", "test"), default="train")
    only.add_argument("--minutes", type=float, default=600, help="at most so many a domain")
    only.add_argument("--sets", nargs="+", default=(), help="sets of the manifest; default all")
    only.add_argument("--free", action="store_true", help="only CC0, CC-BY and CC-BY-SA files")
    add.set_defaults(run=commands.preencode)

    add = choose.add_parser("train", help="train a method on pre-encoded latents")
    add.add_argument("latents", type=Path, help="a .safetensors file, or a folder of them")
    add.add_argument("--valid", type=Path, help="other latents, whose error is logged on the way")
    add.add_argument("-o", "--output", type=Path, required=True, help="weights, without suffix")
    add.add_argument("--preset", choices=sorted(PRESETS), default="lite")
    add.add_argument("--system", choices=sorted({**SYSTEMS, **ABLATIONS}), default="et-greedy")
    add.add_argument("--steps", type=_positive, help="instead of the preset's")
    add.add_argument("--batch", type=_positive, help="clips a step, instead of the preset's")
    add.add_argument("--seed", type=int, default=0)
    add.add_argument("--compile", action="store_true", help="torch.compile: for long runs on a GPU")
    add.add_argument("--autoencoder", default="spectral-vae", help="that made the latents")
    add.add_argument("--run-dir", type=Path, help="checkpoint and log; default runs/OUTPUT")
    add.set_defaults(run=commands.train)

    add = choose.add_parser("evaluate", help="models on evaluation crops, to tidy tables")
    source = add.add_mutually_exclusive_group()
    source.add_argument("--corpus", type=Path, default=Path("corpus"), help="has the test sets")
    source.add_argument("--quick", action="store_true", help="the shipped crops, without a corpus")
    source.add_argument("--set", nargs="+", metavar="NAME=DIR", help="the paper's own sets instead")
    add.add_argument("--seconds", type=float, default=10, help="of each set's crops")
    add.add_argument("--models", nargs="+", default=(), help="as in compress; default all shipped")
    add.add_argument("--keep", nargs="+", type=float, help="kept fractions; default 0.2 to 1")
    add.add_argument("--solver", nargs="+", default=(), help="beside each model's own, if it can")
    add.add_argument("--pair", nargs=2, action="append", default=[], help="systems to compare too")
    add.add_argument("--fad", choices=("bundled", "fadtk"), default="bundled", help="its networks")
    add.add_argument("--no-fad", action="store_true", help="make no embeddings")
    add.add_argument("--latents-only", action="store_true", help="make no sound: errors alone")
    add.add_argument("--crops", type=_positive, help="so many a domain instead of all")
    add.add_argument("--run-dir", type=Path, default=Path("runs/evaluate"), help="what is measured")
    add.add_argument("-o", "--output", type=Path, help="folder; default that of --run-dir")
    add.set_defaults(run=commands.evaluate)

    add = choose.add_parser("demo", help="a page on this machine for your own sound")
    add.add_argument("--port", type=_positive, default=7860)
    add.add_argument("--book", type=Path, help="built book to serve too; the demo is at /demo then")
    add.set_defaults(run=commands.demo)
    return parser


def _positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


if __name__ == "__main__":
    sys.exit(main())
