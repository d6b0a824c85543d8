"""The audio store: from folders of source files to flat sample files and their manifest.

One set is decoded into a part, `parts/{set}.pcm` with its card; the store is all parts joined. A
part that fits its sources is never decoded again, so an interrupted run continues where it stopped.
"""

import csv
import hashlib
import io
import json
import os
import re
import shutil
import zipfile
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from tqdm.auto import tqdm

RATE = 22050
SHORTEST = 0.1  # seconds
VALID_SHARE = 20  # one in so many training files is set aside for validation
DECODER = "1: mean of channels, soxr HQ, clip, int16"  # a new text decodes everything again
AUDIO = {".ogg", ".oga", ".wav", ".flac", ".mp3", ".opus", ".g722", ".aif", ".aiff", ".au"}
ARCHIVES = {".zip", ".pk3", ".wz"}
FIELDS = ["id", "domain", "split", "set", "package", "version", "source", "licence", "author"]
FIELDS += ["ships", "source_rate", "seconds", "start", "samples", "sha256"]
Table = dict[str, Any]
Job = tuple[Path, str]  # a folder and the name of a source in it


class CorpusError(Exception):
    """What the person running the script can mend."""


# ---------------------------------------------------------------- files


def remove(path: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """A temporary path beside `path`; what a killed run left there is cleared."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{path.name}")
    remove(temporary)
    try:
        yield temporary
    finally:
        remove(temporary)


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """A temporary path that takes the name `path` only when the block ends well."""
    with scratch(path) as temporary:
        yield temporary
        os.replace(temporary, path)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content`, unless it stands there already."""
    if not path.exists() or path.read_bytes() != content:
        with atomic(path) as temporary:
            temporary.write_bytes(content)


# ---------------------------------------------------------------- sources


def sources(folder: Path) -> list[str]:
    """Every audio file below `folder`, those inside archives as archive/member, in order."""
    names = []
    for path in folder.rglob("*"):
        # A link points at a file that is found under its own name.
        if path.is_symlink() or not path.is_file():
            continue
        name = path.relative_to(folder).as_posix()
        if path.suffix.lower() in AUDIO:
            names.append(name)
        elif path.suffix.lower() in ARCHIVES and zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                members = [m for m in archive.namelist() if Path(m).suffix.lower() in AUDIO]
            names += [f"{name}/{member}" for member in members]
    return sorted(names)


def selected(names: list[str], entry: Table) -> list[str]:
    """The names below the set's root that its patterns choose."""
    root = entry.get("root", "")
    include = re.compile(entry.get("include", ""))
    exclude = re.compile(entry.get("exclude", r"(?!)"))  # by default what matches nothing
    below = [(name, name.removeprefix(root)) for name in names if name.startswith(root)]
    return [name for name, rest in below if include.search(rest) and not exclude.search(rest)]


@cache
def opened(path: Path) -> zipfile.ZipFile:
    """An archive, kept open: the list of a large one takes long to read."""
    return zipfile.ZipFile(path)


def read_source(folder: Path, name: str) -> bytes:
    """The bytes of a file, or of a member of an archive."""
    for parent in Path(name).parents:
        if parent.suffix.lower() in ARCHIVES and (folder / parent).is_file():
            return opened(folder / parent).read(Path(name).relative_to(parent).as_posix())
    return (folder / name).read_bytes()


def read_audio(content: bytes, suffix: str) -> tuple[np.ndarray, int]:
    """Samples (n, channels) as float32, and their rate."""
    if suffix.lower() != ".g722":
        audio, rate = soundfile.read(io.BytesIO(content), dtype="float32", always_2d=True)
        return audio, rate
    import av  # only .g722 needs it

    with av.open(io.BytesIO(content), mode="r", format="g722") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    return (np.concatenate(frames).astype(np.float32) / 32768)[:, None], rate


def to_int16(audio: np.ndarray, rate: int, target: int = RATE) -> np.ndarray:
    """Resample, clip to ±1 and round."""
    audio = audio if rate == target else soxr.resample(audio, rate, target)
    return np.rint(np.clip(audio, -1, 1) * 32767).astype("<i2")


def decode(job: Job) -> tuple[Table, np.ndarray | str]:
    """One source file as its facts and mono samples, or the reason why it cannot be used."""
    folder, name = job
    row: Table = {"source": name}
    try:
        content = read_source(folder, name)
        audio, rate = read_audio(content, Path(name).suffix)
    except ModuleNotFoundError:
        return row, "unreadable (.g722 needs PyAV: pip install av)"
    except Exception as error:  # a broken file has as many faces as there are formats
        return row, f"unreadable ({type(error).__name__}: {error})"
    if not np.isfinite(audio).all():
        return row, "unreadable (samples that are not finite)"
    if len(audio) < SHORTEST * rate:
        return row, f"{len(audio) / rate:.3f} s long, the least is {SHORTEST} s"
    samples = to_int16(audio.mean(1), rate)
    row |= {"source_rate": rate, "samples": len(samples)}
    row["sha256"] = hashlib.sha256(content).hexdigest()
    return row, samples


# ---------------------------------------------------------------- parts


def build_part(entry: Table, folder: Path, origin: str, root: Path, workers: int) -> None:
    """Decode the set `entry` from `folder`, unless its part fits; `origin` tells its state."""
    names = selected(sources(folder), entry)
    path = root / "parts" / f"{entry['set']}.json"
    key = hashlib.sha256(json.dumps([DECODER, RATE, origin, names]).encode()).hexdigest()
    card = json.loads(path.read_text("utf-8")) if path.exists() else {}
    if card.get("key") != key:
        path.unlink(missing_ok=True)
        jobs = [(folder, name) for name in names]
        card = decode_part(jobs, path.with_suffix(".pcm"), entry["set"], workers)
        # Without a manifest the store is joined again, even where its rows would say the same.
        (root / "manifest.csv").unlink(missing_ok=True)
    card |= {"key": key, "entry": entry}
    write_bytes(path, (json.dumps(card, indent=1, ensure_ascii=False) + "\n").encode())


def decode_part(jobs: list[Job], path: Path, name: str, workers: int) -> Table:
    """Write the samples of all jobs to `path`; the rows, and what was left out."""
    rows: list[Table] = []
    left: list[list[str]] = []
    with atomic(path) as temporary, temporary.open("wb") as file:
        for row, audio in tqdm(decoded(jobs, workers), desc=name, total=len(jobs), disable=None):
            if isinstance(audio, str):
                left.append([row["source"], audio])
            else:
                rows.append(row)
                file.write(audio.tobytes())
        if not rows:
            why = f"; the first: {left[0][0]}, {left[0][1]}" if left else ""
            raise CorpusError(
                f"The set '{name}' has 0 usable files of {len(jobs)} selected where 1 is needed"
                f"{why}: mend its patterns or its folder."
            )
    return {"rows": rows, "left": left}


def decoded(jobs: list[Job], workers: int) -> Iterator[tuple[Table, np.ndarray | str]]:
    """The decoded jobs, in order, a few ahead of what was taken."""
    # Threads do: decoding and resampling run outside the interpreter lock.
    with ThreadPoolExecutor(workers) as pool:
        waiting: deque[Future[tuple[Table, np.ndarray | str]]] = deque()
        for job in jobs:
            waiting.append(pool.submit(decode, job))
            if len(waiting) > 2 * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


# ---------------------------------------------------------------- the store


def cards(root: Path) -> list[Table]:
    """The cards of all parts, those of test sets first."""
    found = [json.loads(path.read_text("utf-8")) for path in (root / "parts").glob("*.json")]
    return sorted(found, key=lambda c: (c["entry"]["split"] != "test", c["entry"]["set"]))


def unique_rows(root: Path) -> list[Table]:
    """One row a source file; the same content stands once."""
    rows, seen = [], set()
    # Test sets choose first: what they hold must not be trained on.
    for card in cards(root):
        offset = 0
        for row in card["rows"]:
            if row["sha256"] not in seen:
                seen.add(row["sha256"])
                rows.append({**card["entry"], **row, "offset": offset})
            offset += row["samples"]
    return rows


def plan(root: Path) -> list[Table]:
    """The rows of the manifest, in order, each with its place in the store."""
    rows = unique_rows(root)
    for row in rows:
        row["id"] = row["sha256"][:16]
        row["ships"] = "yes" if row.get("ships") else "no"
        row["seconds"] = f"{row['samples'] / RATE:.3f}"
        row["store"] = f"{row['domain']}-{row['split']}"
        if row["split"] == "train" and int(row["sha256"], 16) % VALID_SHARE == 0:
            row["split"] = "valid"
    rows.sort(key=lambda r: (r["store"], r["split"], r["set"], r["source"]))
    ends: dict[str, int] = {}
    for row in rows:
        row["start"] = ends.get(row["store"], 0)
        ends[row["store"]] = row["start"] + row["samples"]
    return rows


def read_manifest(path: Path) -> list[Table]:
    """The rows of a manifest."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def layout(rows: list[Table]) -> list[tuple[str, ...]]:
    """What lies where: all of a manifest that the sample files depend on."""
    return [(r["domain"], r["split"], r["sha256"], str(r["start"])) for r in rows]


def join(root: Path) -> list[Table]:
    """Write the store and the manifest from the parts, unless they stand there already."""
    rows = plan(root)
    manifest = root / "manifest.csv"
    paths = {name: root / "audio" / f"{name}.npy" for name in sorted({r["store"] for r in rows})}
    stands = manifest.exists() and layout(read_manifest(manifest)) == layout(rows)
    if not (stands and all(path.exists() for path in paths.values())):
        manifest.unlink(missing_ok=True)
        for name, path in paths.items():
            write_store(path, [row for row in rows if row["store"] == name], root)
    text = io.StringIO()
    writer = csv.DictWriter(text, FIELDS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_bytes(manifest, text.getvalue().encode())
    left = [f"{c['entry']['set']}\t{name}\t{why}\n" for c in cards(root) for name, why in c["left"]]
    write_bytes(root / "left-out.txt", "".join(left).encode())
    return rows


def write_store(path: Path, rows: list[Table], root: Path) -> None:
    """Concatenate the samples of `rows` into one npy file."""
    total = sum(row["samples"] for row in rows)
    header = {"descr": "<i2", "fortran_order": False, "shape": (total,)}
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for row in tqdm(rows, desc=path.stem, disable=None):
            part = root / "parts" / f"{row['set']}.pcm"
            np.fromfile(part, "<i2", row["samples"], offset=2 * row["offset"]).tofile(file)
