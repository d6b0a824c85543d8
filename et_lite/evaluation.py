"""The sweep over models, kept fractions, solvers and crops into tidy tables (book: evaluation)."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from et_lite.autoencoders import Autoencoder, fingerprint
from et_lite.cache import code_hash, completed, remembered, version_of
from et_lite.config import SYSTEMS
from et_lite.data import DOMAINS, Crop, evaluation_crops, read_rows
from et_lite.embeddings import Embedding
from et_lite.fad import Fad, measure_fad
from et_lite.frechet import DRAWS, SPLITS
from et_lite.intervals import SEED, Interval, interval, paired_interval
from et_lite.quick import quick_crops
from et_lite.storage import ASSETS, atomic_path, commit, file_hash, machine, write_json
from et_lite.sweep import (
    CELL,
    LATENT_METRICS,
    RATE,
    SOUND_METRICS,
    Encoded,
    Listener,
    Model,
    encode,
    measure,
    measure_alone,
)
from et_lite.tables import write_rows

TABLE = ASSETS / "eval_v1.csv"
COMPARED = (*SOUND_METRICS, *LATENT_METRICS)
METRICS = (*COMPARED, "side_bits", "seconds")
COLUMNS = ["model", "system", "seed", "solver", "keep", "crop", "domain", "unit"]
COLUMNS += ["frames", "kept", "reached", *METRICS]
ENDS, SIZE = ["mean", "low", "high"], ["crops", "units"]
SUMMARY = [*CELL, "metric", *ENDS, *SIZE, "seeds", "reached"]
SIDES = ["first", "first_solver", "second", "second_solver"]
DIFFERENCES = [*SIDES, "keep", "domain", "metric", *ENDS, *SIZE]

ALONE = "autoencoder"  # the system that drops nothing, and has no Re-Bottleneck
CONTROL = "uniform-hold"
# Systems that are compared, each choosing frames as it was trained to.
PAIRS = (
    *((name, CONTROL) for name in SYSTEMS if name != CONTROL),
    *product(("et-greedy", "et-dp"), ("codecslime", "hnet-yoto")),
    *product(("et-greedy@0.5", "et-dp@0.5"), ("conv-downsample", "codecslime", "hnet@0.5")),
    ("et-greedy", "et-dp"),
    ("et-greedy@0.5", "et-greedy"),
    ("et-dp@0.5", "et-dp"),
    ("et-dp-widerange", "et-dp"),
)
# Solvers that are compared on the same weights.
SOLVER_PAIRS = (
    *product(("greedy", "dp", "agglomerative"), ("uniform", "random")),
    ("greedy", "dp"),
    ("agglomerative", "dp"),
)


class Side(NamedTuple):
    """One side of a paired difference."""

    system: str
    solver: str


def crops(corpus: Path | None, most: int | None = None) -> tuple[int, Iterator[Crop]]:
    """How many evaluation crops there are, and the crops; the quick ones without a corpus.

    All, or `most` of each domain, evenly over the table. ValueError where the corpus lacks one.
    """
    if corpus is None:
        quick = list(quick_crops())
        wanted = spread({crop.name: crop.domain for crop in quick}, most)
        return len(wanted), (crop for crop in quick if crop.name in wanted)
    wanted = spread({row["crop"]: row["domain"] for row in read_rows(TABLE)}, most)
    found = evaluation_crops(TABLE, corpus, RATE)
    return len(wanted), (crop for crop in found if crop.name in wanted)


def spread(domains: Mapping[str, str], most: int | None) -> set[str]:
    """Of crops, given each one's domain: all, or `most` of every domain evenly over them."""
    if most is None:
        return set(domains)
    groups = [[c for c, d in domains.items() if d == domain] for domain in set(domains.values())]
    return {group[i * len(group) // most] for group in groups for i in range(most)}


def evaluate(
    models: Sequence[Model],
    chosen: Iterable[Crop],
    folder: Path,
    output: Path,
    pairs: Sequence[tuple[str, str]] = (),
    card: Mapping[str, Any] | None = None,
    embeddings: Mapping[str, Embedding] | None = None,
    source: str | None = None,
) -> None:
    """Measure every cell; write `output` + .parquet (crops), .csv, _fad.csv, _pairs.csv and .json.

    `folder` keeps what is measured, crop by crop, so that a sweep that was stopped goes on.
    `pairs` of systems come beside the named ones; ValueError if one is not among the models.
    `card` is what only the caller knows. `embeddings` by domain are FAD's; without, there is none.
    `source` tells the crops from others where they are not those of the bundled table.
    """
    compared = [*_system_pairs(models, pairs), *_solver_pairs(models)]
    source = source or file_hash(TABLE)
    rows, originals = sweep(models, chosen, folder, embeddings or {}, source)
    fad = measure_fad(rows, originals, embeddings, folder) if embeddings and originals else None
    rows = rows[COLUMNS]
    text = {
        ".csv": summary(rows),
        "_pairs.csv": differences(rows, compared, fad),
        **({} if fad is None else {"_fad.csv": fad.table}),
    }
    tables = {
        ".parquet": partial(write_rows, rows),
        **{k: partial(t.to_csv, index=False, float_format="%.6g") for k, t in text.items()},
    }
    for suffix, write in tables.items():
        with atomic_path(output.with_name(output.name + suffix)) as temporary:
            write(temporary)
    autoencoder = models[0].codec.autoencoder
    crops_of = rows.drop_duplicates("crop")["domain"].value_counts().sort_index()
    known = {
        "autoencoder": {"name": autoencoder.name, "sha256": fingerprint(autoencoder)},
        "models": {
            m.codec.name: {"system": m.system, "seed": m.seed, "sha256": m.codec.identity}
            for m in models
        },
        "evaluation": source,
        "crops": {str(domain): int(count) for domain, count in crops_of.items()},
        "bootstrap_seed": SEED,
        "fad": _fad_card(embeddings) if embeddings else None,
        "code": code_hash("sweep"),
        "commit": commit(),
        "machine": machine(),
    }
    write_json(output.with_name(output.name + ".json"), {**(card or {}), **known})


def _fad_card(embeddings: Mapping[str, Embedding]) -> dict[str, Any]:
    """What FAD listens with, and how often it draws."""
    used = {d: {"name": e.name, "sha256": e.identity} for d, e in embeddings.items()}
    return {"embeddings": used, "draws": DRAWS, "splits": SPLITS, "seed": SEED}


class Subject(NamedTuple):
    """A crop, what is computed of it once, and where its results are kept."""

    crop: Crop
    encoded: Callable[[], Encoded]
    listener: Listener
    folder: Path
    version: str

    def file(self, name: str, *more: str) -> Path:
        """Where the results of `name` are kept; `more` is what else they depend on."""
        version = version_of(self.version, *more)
        return self.folder / f"{name}-{version}" / f"{self.crop.name}.json"

    @property
    def head(self) -> dict[str, Any]:
        """Columns of all its rows."""
        return {"crop": self.crop.name, "domain": self.crop.domain, "unit": self.crop.unit}


def sweep(
    models: Sequence[Model],
    chosen: Iterable[Crop],
    folder: Path,
    embeddings: Mapping[str, Embedding],
    source: str | None = None,
) -> tuple[pd.DataFrame, dict[str, str]]:
    """A tidy row for every crop and cell, from `folder` where it is there.

    With the column `embeddings`, as text, and the originals' by crop.
    """
    autoencoder = models[0].codec.autoencoder
    made = (fingerprint(autoencoder), code_hash("sweep"), source or file_hash(TABLE))
    heard = any(cell.heard for model in models for cell in model.cells)
    rows: list[dict[str, Any]] = []
    originals: dict[str, str] = {}
    for crop in chosen:
        embedding = embeddings.get(crop.domain) if heard else None
        version = version_of(*made, "" if embedding is None else embedding.identity)
        encoded = cache(partial(encode, autoencoder, crop.wave, crop.rate))  # once, if asked for
        listener = Listener(crop.wave, embedding, crop.rate)
        subject = Subject(crop, encoded, listener, folder, version)
        if embedding is not None:
            own = partial(listener.embed, listener.sound)
            originals[crop.name] = remembered(subject.file("originals"), own)
        if heard:
            rows.append(_alone_row(autoencoder, subject))
        for model in models:
            rows += _model_rows(model, subject)
    table = pd.DataFrame(rows, columns=[*COLUMNS, "embeddings"])
    return table.astype({"seed": "Int64", **dict.fromkeys(METRICS, float)}), originals


def _alone_row(autoencoder: Autoencoder, subject: Subject) -> dict[str, Any]:
    """The row of the autoencoder by itself."""

    def compute() -> dict[str, Any]:
        return measure_alone(autoencoder, subject.encoded(), subject.listener)

    head = {"model": autoencoder.name, "system": ALONE, "solver": "none", "keep": 1.0}
    return {**head, **subject.head, **remembered(subject.file(ALONE), compute)}


def _model_rows(model: Model, subject: Subject) -> Iterator[dict[str, Any]]:
    """The rows of all of a model's cells."""
    codec, cells = model.codec, {cell.name: cell for cell in model.cells}

    def compute(missing: list[str]) -> dict[str, Any]:
        return measure(codec, subject.encoded(), subject.listener, [cells[n] for n in missing])

    found = completed(subject.file(codec.name, codec.identity), list(cells), compute)
    head = {"model": codec.name, "system": model.system, "seed": model.seed, **subject.head}
    for name, cell in cells.items():
        yield {**head, "solver": cell.solver, "keep": cell.keep, **found[name]}


def summary(rows: pd.DataFrame) -> pd.DataFrame:
    """Mean and interval of every metric in every cell and domain; seeds are averaged per crop.

    A cell that some crop could not reach has no mean: `reached` is the share that could.
    """
    found = []
    for names, cell in rows.groupby(CELL):
        reached, pooled = cell["reached"].mean(), _pooled(cell)
        units = [unit for _, unit in pooled.index]
        size = {"crops": len(units), "units": len(set(units)), "seeds": cell["seed"].nunique()}
        head = {**dict(zip(CELL, names, strict=True)), **size, "reached": reached}
        for metric in METRICS:
            if rows[metric].isna().all() or (reached == 1 and pooled[metric].isna().all()):
                continue  # nobody asked for it, or the system has none
            ends = interval(pooled[metric], units) if reached == 1 else Interval(*[np.nan] * 3)
            found.append({**head, "metric": metric, **ends._asdict()})
    return pd.DataFrame(found, columns=SUMMARY)


def differences(
    rows: pd.DataFrame, pairs: Sequence[tuple[Side, Side]], fad: Fad | None = None
) -> pd.DataFrame:
    """First − second on the same crops, wherever both sides reach every crop.

    Vocal music is left out: one file of singing is no evidence. Inner latents are compared
    between solvers of one system alone, since every model has its own.
    """
    cells = {n: _pooled(cell) for n, cell in rows.groupby(CELL) if cell["reached"].all()}
    found = []
    domains = [d for d in dict.fromkeys((*DOMAINS, *rows["domain"])) if d != "vocal"]
    for (first, second), keep, domain in product(pairs, sorted(rows["keep"].unique()), domains):
        one, two = (cells.get((*side, keep, domain)) for side in (first, second))
        if one is None or two is None:
            continue
        two = two.reindex(one.index)
        units = [unit for _, unit in one.index]
        head = dict(zip(SIDES, (*first, *second), strict=True)) | {"keep": keep, "domain": domain}
        size = {"crops": len(units), "units": len(set(units))}
        for metric in COMPARED:
            comparable = metric != "inner_error" or first.system == second.system
            if comparable and not (one[metric].isna().all() or two[metric].isna().all()):
                ends = paired_interval(one[metric], two[metric], units)._asdict()
                found.append({**head, "metric": metric, **ends, **size})
        between = fad and fad.difference((*first, keep, domain), (*second, keep, domain))
        if between:
            found.append({**head, "metric": "fad", **between._asdict(), **size})
    return pd.DataFrame(found, columns=DIFFERENCES)


def _pooled(cell: pd.DataFrame) -> pd.DataFrame:
    """A cell's metrics by (crop, unit), mean over seeds."""
    return cell.groupby(["crop", "unit"])[list(METRICS)].mean()


def _system_pairs(
    models: Sequence[Model], more: Sequence[tuple[str, str]]
) -> list[tuple[Side, Side]]:
    own = {model.system: model.codec.solver for model in models}
    for name in (name for pair in more for name in pair):
        if name not in own:
            raise ValueError(f"system {name!r} is none of {', '.join(own)}: add it to the models")
    return [
        (Side(one, own[one]), Side(two, own[two]))
        for one, two in dict.fromkeys((*PAIRS, *more))
        if one in own and two in own
    ]


def _solver_pairs(models: Sequence[Model]) -> list[tuple[Side, Side]]:
    systems = dict.fromkeys(model.system for model in models)
    return [(Side(s, one), Side(s, two)) for s in systems for one, two in SOLVER_PAIRS]
