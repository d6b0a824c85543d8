"""What each command of `et-lite` does with the options that `cli` has read.

Imports stand inside the commands: `--help` and a wrong option should answer at once.
"""

import argparse
import os
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from et_lite.config import BASE_PRESETS, PHASE_PRESETS, preset


def compress(given: argparse.Namespace) -> None:
    """A sound file to a payload file."""
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


def decompress(given: argparse.Namespace) -> None:
    """A payload file to a sound file."""
    from et_lite import audio
    from et_lite.codec import ElasticCodec
    from et_lite.payload import ElasticPayload

    payload = ElasticPayload.load(given.input)
    codec = ElasticCodec.from_pretrained(given.model or Path(payload.model).name)
    output = given.output or given.input.with_suffix(".decoded.wav")
    audio.write(output, codec.decompress(payload), payload.sample_rate)


def info(given: argparse.Namespace) -> None:
    """What a payload file holds, to standard output."""
    from et_lite.payload import ElasticPayload

    payload = ElasticPayload.load(given.input)
    for name, value in payload.facts(given.input.stat().st_size).items():
        print(f"{name:<17} {value}")


def train_base(given: argparse.Namespace) -> None:
    """The bundled autoencoder, from a corpus to its weights."""
    from et_lite.base_training import train_base, train_phase

    base = replace(BASE_PRESETS[given.preset], seed=given.seed)
    base = base if given.steps is None else replace(base, steps=given.steps)
    phase = replace(PHASE_PRESETS[given.preset], seed=given.seed)
    phase = phase if given.phase_steps is None else replace(phase, steps=given.phase_steps)
    weights = given.output / "spectral-vae"
    train_base(base, given.corpus, given.run_dir / "base", weights)
    train_phase(phase, weights, given.corpus, given.run_dir / "phase", given.output / "phase-head")


def preencode(given: argparse.Namespace) -> None:
    """Sounds to latents for training."""
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


def train(given: argparse.Namespace) -> None:
    """Latents to a trained method."""
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


def evaluate(given: argparse.Namespace) -> None:
    """Models on evaluation crops, to tables."""
    # FAD's eigenvalues are of small matrices too; read when numpy is loaded.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    import torch
    from tqdm.auto import tqdm

    from et_lite.embeddings import EMBEDDING_OF, load_embeddings
    from et_lite.evaluation import crops, evaluate
    from et_lite.fad_toolkit import load_toolkit
    from et_lite.runs import prepare_cpu
    from et_lite.storage import file_hash
    from et_lite.sweep import KEEPS, load_models
    from et_lite.testsets import SETS, by_set, open_sets

    torch.set_num_threads(1)  # small products on several threads only wait for each other
    prepare_cpu()
    models = load_models(given.models, given.keep or KEEPS, given.solver, not given.latents_only)
    rate = models[0].codec.autoencoder.sample_rate
    sets = open_sets(given.set, rate, given.seconds, given.crops) if given.set else None
    corpus = None if given.quick or sets else given.corpus
    embeddings = None
    if not (given.no_fad or given.latents_only):
        kinds = {SETS[name].kind for name in sets.card} if sets else set(EMBEDDING_OF)
        embeddings = load_toolkit(kinds) if given.fad == "fadtk" else load_embeddings()
        embeddings = by_set(embeddings, list(sets.card)) if sets else embeddings
    count, chosen = (sets.total, sets.crops) if sets else crops(corpus, given.crops)
    name = "evaluation" + "_quick" * given.quick + "_sets" * bool(sets)
    name += "_latents" * given.latents_only
    card = {
        "command": _command(given, [model.codec.name for model in models]),
        "corpus": corpus and file_hash(corpus / "manifest.csv"),
        **({"sets": sets.card} if sets else {}),
    }
    bar = tqdm(chosen, name, total=count, unit="crop", disable=None)
    output = (given.output or given.run_dir) / name
    pairs = [(a, b) for a, b in given.pair]
    evaluate(models, bar, given.run_dir, output, pairs, card, embeddings, sets and sets.source)


def demo(given: argparse.Namespace) -> None:
    """The demo, until it is stopped."""
    from et_lite.demo import serve

    serve(given.port, given.book)


def _command(given: argparse.Namespace, models: Sequence[str]) -> str:
    """The evaluation again, without the paths of this machine."""
    words = ["et-lite evaluate", "--quick" if given.quick else "--corpus corpus"]
    if given.set:
        words[1:] = ["--set", *(f"{text.partition('=')[0]}=DIR" for text in given.set)]
        words += ["--seconds", f"{given.seconds:g}"]
    words += ["--models", *models]
    for option in ("keep", "solver"):
        values = getattr(given, option)
        words += [f"--{option}", *map(str, values)] if values else []
    words += [f"--pair {first} {second}" for first, second in given.pair]
    words += ["--no-fad"] if given.no_fad else []
    words += ["--fad fadtk"] if given.fad == "fadtk" else []
    words += ["--latents-only"] if given.latents_only else []
    words += [f"--crops {given.crops}"] if given.crops else []
    return " ".join(words)
