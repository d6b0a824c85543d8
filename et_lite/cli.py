"""The command `et-lite`: sound to payload and back, training, and how good it is."""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

from et_lite.config import ABLATIONS, BASE_PRESETS, PHASE_PRESETS, PRESETS, SYSTEMS, preset

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
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    add = commands.add_parser("compress", help="sound file to elastic payload (.etp)")
    add.add_argument("input", type=Path, help="WAV, FLAC, OGG or MP3")
    add.add_argument("-o", "--output", type=Path, help="payload to write; default INPUT.etp")
    add.add_argument("--keep", type=float, default=0.5, help="kept fraction of frames, over 0 to 1")
    add.add_argument("--solver", help=SOLVER_HELP)
    add.add_argument("--model", default="et-greedy", help="shipped model, or path without suffix")
    add.add_argument(
        "--precision", default="float16", help="of the kept frames: float16 or float32"
    )
    add.set_defaults(run=_compress)

    add = commands.add_parser("decompress", help="elastic payload to sound file")
    add.add_argument("input", type=Path, help=".etp file")
    add.add_argument("-o", "--output", type=Path, help="sound to write; default INPUT.decoded.wav")
    add.add_argument("--model", help="path without suffix, for a model that is not shipped")
    add.set_defaults(run=_decompress)

    add = commands.add_parser("info", help="what a payload holds")
    add.add_argument("input", type=Path, help=".etp file")
    add.set_defaults(run=_info)

    add = commands.add_parser("train-base", help="train the bundled autoencoder on a corpus")
    add.add_argument("corpus", type=Path, help="folder that scripts/build_corpus.py made")
    add.add_argument("--preset", choices=sorted(BASE_PRESETS), default="cpu")
    add.add_argument("--steps", type=_positive, help="of the autoencoder, instead of the preset's")
    add.add_argument("--phase-steps", type=_positive, help="of the phase decoder, likewise")
    add.add_argument("--seed", type=int, default=0)
    add.add_argument("--run-dir", type=Path, default=Path("runs"), help="checkpoints and logs")
    add.add_argument("-o", "--output", type=Path, default=Path("assets/weights"), help="folder")
    add.set_defaults(run=_train_base)

    add = commands.add_parser("preencode", help="sounds to latents for training")
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
    add.set_defaults(run=_preencode)

    add = commands.add_parser("train", help="train a method on pre-encoded latents")
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
    add.set_defaults(run=_train)

    add = commands.add_parser("evaluate", help="models on evaluation crops, to tidy tables")
    source = add.add_mutually_exclusive_group()
    source.add_argument("--corpus", type=Path, default=Path("corpus"), help="has the test sets")
    source.add_argument("--quick", action="store_true", help="the shipped crops, without a corpus")
    add.add_argument("--models", nargs="+", default=(), help="as in compress; default all shipped")
    add.add_argument("--keep", nargs="+", type=float, help="kept fractions; default 0.2 to 1")
    add.add_argument("--solver", nargs="+", default=(), help="beside each model's own, if it can")
    add.add_argument("--pair", nargs=2, action="append", default=[], help="systems to compare too")
    add.add_argument("--no-fad", action="store_true", help="make no embeddings")
    add.add_argument("--latents-only", action="store_true", help="make no sound: errors alone")
    add.add_argument("--crops", type=_positive, help="so many a domain instead of all")
    add.add_argument("--run-dir", type=Path, default=Path("runs/evaluate"), help="what is measured")
    add.add_argument("-o", "--output", type=Path, help="folder; default that of --run-dir")
    add.set_defaults(run=_evaluate)

    add = commands.add_parser("demo", help="a page on this machine for your own sound")
    add.add_argument("--port", type=_positive, default=7860)
    add.add_argument("--book", type=Path, help="built book to serve too; the demo is at /demo then")
    add.set_defaults(run=_demo)
    return parser


def _positive(text: str) -> int:
    """A whole number of at least 1, for argparse."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


# Imports stand inside the commands: `--help` and a wrong option should answer at once.


def _compress(given: argparse.Namespace) -> None:
    from et_lite import audio
    from et_lite.codec import ElasticCodec
    from et_lite.segments import kept_length
    from et_lite.solvers import SOLVERS

    kept_length(1, given.keep)  # refuse a bad fraction before any file is read
    wave, rate = audio.read(given.input)
    codec = ElasticCodec.from_pretrained(given.model)
    payload = codec.compress(wave, rate, given.keep, given.solver)
    payload.save(given.output or given.input.with_suffix(".etp"), given.precision)
    if not payload.reached:
        other = "--solver dp or agglomerative" if payload.solver in SOLVERS else "another model"
        print(
            f"et-lite: {payload.solver} reached {payload.kept} of {payload.frames} frames, "
            f"not the {payload.requested} asked for: use {other} for that",
            file=sys.stderr,
        )


def _decompress(given: argparse.Namespace) -> None:
    from et_lite import audio
    from et_lite.codec import ElasticCodec
    from et_lite.payload import ElasticPayload

    payload = ElasticPayload.load(given.input)
    codec = ElasticCodec.from_pretrained(given.model or Path(payload.model).name)
    output = given.output or given.input.with_suffix(".decoded.wav")
    audio.write(output, codec.decompress(payload), payload.sample_rate)


def _info(given: argparse.Namespace) -> None:
    from et_lite.payload import ElasticPayload

    payload = ElasticPayload.load(given.input)
    for name, value in payload.facts(given.input.stat().st_size).items():
        print(f"{name:<17} {value}")


def _train_base(given: argparse.Namespace) -> None:
    from et_lite.base_training import train_base, train_phase

    base = replace(BASE_PRESETS[given.preset], seed=given.seed)
    base = base if given.steps is None else replace(base, steps=given.steps)
    phase = replace(PHASE_PRESETS[given.preset], seed=given.seed)
    phase = phase if given.phase_steps is None else replace(phase, steps=given.phase_steps)
    weights = given.output / "spectral-vae"
    train_base(base, given.corpus, given.run_dir / "base", weights)
    train_phase(phase, weights, given.corpus, given.run_dir / "phase", given.output / "phase-head")


def _preencode(given: argparse.Namespace) -> None:
    from functools import partial

    from et_lite import preencoding
    from et_lite.autoencoders import load_autoencoder
    from et_lite.data import CORPUS_RATE, corpus_clips

    load = partial(load_autoencoder, given.autoencoder)
    sounds: Iterable[preencoding.Sound]
    if (given.source / "manifest.csv").exists():
        limits = (given.minutes, CORPUS_RATE, given.sets, given.free, given.longest or 30)
        clips = corpus_clips(given.source, given.split, *limits)
        sounds = preencoding.corpus_sounds(clips)
    else:
        sounds = preencoding.folder_sounds(given.source, given.domain, given.longest or 300)
    if given.output.suffix == ".safetensors":
        preencoding.preencode_file(sounds, load(), given.output)
        return
    made = preencoding.preencode(sounds, load, given.output, given.workers)
    print(f"{made.sounds} sounds, {made.clips} clips, {made.frames} frames in {made.shards} shards")
    if made.skipped:
        listed = given.output / preencoding.REPORT
        print(f"{len(made.skipped)} skipped: {listed} names them", file=sys.stderr)


def _train(given: argparse.Namespace) -> None:
    from et_lite.autoencoders import load_autoencoder
    from et_lite.data import LatentStore
    from et_lite.parallel import join, leave
    from et_lite.runs import last_values
    from et_lite.training import publish, train

    changes = {"steps": given.steps, "batch": given.batch}
    changes = {name: value for name, value in changes.items() if value is not None}
    config = preset(given.preset, given.system, seed=given.seed, **changes)
    base, store = load_autoencoder(given.autoencoder), LatentStore.load(given.latents)
    valid = None if given.valid is None else LatentStore.load(given.valid)
    for path, latents in ((given.latents, store), (given.valid, valid)):
        if latents is not None and latents.made_by != base.identity:
            raise ValueError(
                f"{path} was encoded by another autoencoder than {base.name}: "
                "run et-lite preencode again"
            )
    run = given.run_dir or Path("runs") / given.output.name
    processes = join()
    method = train(config, store, run, valid=valid, processes=processes, compiled=given.compile)
    leave()
    if not processes.first:
        return
    data = f"{given.latents.name} {store.digest()[:16]}"
    identity = {"name": base.name, "sha256": base.identity}
    publish(method, given.output, identity, data, last_values(run))


def _evaluate(given: argparse.Namespace) -> None:
    # FAD's eigenvalues are of small matrices too; read when numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import torch
    from tqdm.auto import tqdm

    from et_lite.embeddings import load_embeddings
    from et_lite.evaluation import crops, evaluate
    from et_lite.runs import prepare_cpu
    from et_lite.storage import file_hash
    from et_lite.sweep import KEEPS, load_models

    torch.set_num_threads(1)  # small products on several threads only wait for each other
    prepare_cpu()
    corpus = None if given.quick else given.corpus
    models = load_models(given.models, given.keep or KEEPS, given.solver, not given.latents_only)
    embeddings = None if given.no_fad or given.latents_only else load_embeddings()
    count, chosen = crops(corpus, given.crops)
    name = "evaluation" + "_quick" * given.quick + "_latents" * given.latents_only
    card = {
        "command": _command(given, [model.codec.name for model in models]),
        "corpus": corpus and file_hash(corpus / "manifest.csv"),
    }
    bar = tqdm(chosen, name, total=count, unit="crop", disable=None)
    output = (given.output or given.run_dir) / name
    pairs = [(a, b) for a, b in given.pair]
    evaluate(models, bar, given.run_dir, output, pairs, card, embeddings)


def _demo(given: argparse.Namespace) -> None:
    from et_lite.demo import serve

    serve(given.port, given.book)


def _command(given: argparse.Namespace, models: Sequence[str]) -> str:
    """The evaluation again, without the paths of this machine."""
    words = ["et-lite evaluate", "--quick" if given.quick else "--corpus corpus"]
    words += ["--models", *models]
    for option in ("keep", "solver"):
        values = getattr(given, option)
        words += [f"--{option}", *map(str, values)] if values else []
    words += [f"--pair {first} {second}" for first, second in given.pair]
    words += ["--no-fad"] if given.no_fad else []
    words += ["--latents-only"] if given.latents_only else []
    words += [f"--crops {given.crops}"] if given.crops else []
    return " ".join(words)


if __name__ == "__main__":
    sys.exit(main())
