"""Build the audio corpus: fetch packages, decode to 22 050 Hz mono, lay out one store.

Under --root: `audio/{domain}-{train,test}.npy`, flat int16 for `np.load(path, mmap_mode="r")`, and
`manifest.csv`, a row for each source file, which `start` and `samples` locate. Rows whose split is
`valid` lie at the end of the train file of their domain. `left-out.txt` says what was not used, and
why. `deb`, `x` and `parts` save later runs their work; a run adds to the sets in `parts`.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

from corpus_clips import build_clips
from corpus_store import (
    RATE,
    CorpusError,
    Table,
    atomic,
    build_part,
    join,
    remove,
    scratch,
)
from tqdm.auto import tqdm

DOMAINS, SPLITS = ("music", "speech", "effects", "vocal"), ("train", "test")
REGISTRY = Path(__file__).with_name("corpus_sets.toml")
ASSETS = Path(__file__).resolve().parent.parent / "assets"


# ---------------------------------------------------------------- packages


def command(*words: str, cwd: Path | None = None) -> str:
    """The output of a program that must end well."""
    try:
        done = subprocess.run(words, cwd=cwd, check=True, capture_output=True, text=True)
    except FileNotFoundError:
        raise CorpusError(
            f"The program '{words[0]}' is missing (0 found, 1 needed): run on Debian, or lay out "
            "a folder of your own with --audio-dir."
        ) from None
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no message"])[-1]
        raise CorpusError(
            f"'{' '.join(words)}' ended with status {error.returncode} where 0 is needed "
            f"({reason}): run 'apt-get update' as root and try again."
        ) from None
    return done.stdout


def package_record(package: str) -> dict[str, str]:
    """What the package lists say of a package: Version, Architecture, SHA256 and more."""
    text = command("apt-cache", "show", "--no-all-versions", package)
    record = dict(re.findall(r"^([A-Za-z0-9-]+): (.*)$", text.split("\n\n")[0], re.MULTILINE))
    if missing := {"Version", "Architecture", "SHA256"} - set(record):
        raise CorpusError(
            f"The package lists give {', '.join(sorted(missing))} of '{package}' 0 times where 1 "
            "is needed: run 'apt-get update' as root."
        )
    return record


def download(package: str, version: str, folder: Path) -> Path:
    """Download one package into `folder`."""
    command("apt-get", "-q", "download", f"{package}={version}", cwd=folder)
    return next(folder.glob("*.deb"))


def sha256(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(package: str, root: Path) -> tuple[Path, dict[str, str]]:
    """The verified package file; one that is corrupted is downloaded again."""
    record = package_record(package)
    name = f"{package}_{record['Version'].replace(':', '%3a')}_{record['Architecture']}.deb"
    path = root / "deb" / name
    if path.exists() and sha256(path) == record["SHA256"]:
        return path, record
    with scratch(path) as folder:
        folder.mkdir()
        new = download(package, record["Version"], folder)
        if (found := sha256(new)) != record["SHA256"]:
            raise CorpusError(
                f"{name} came with SHA-256 {found[:12]}… where {record['SHA256'][:12]}… is needed: "
                "run 'apt-get update' as root and try again."
            )
        os.replace(new, path)
    return path, record


def unpack(package: str, root: Path) -> tuple[Path, dict[str, str]]:
    """The folder with the files of a package, and its record."""
    deb, record = fetch(package, root)
    folder = root / "x" / package
    stamp = folder / ".sha256"
    if not stamp.exists() or stamp.read_text() != record["SHA256"]:
        remove(folder)
        with atomic(folder) as temporary:
            command("dpkg", "-x", str(deb), str(temporary))
            (temporary / stamp.name).write_text(record["SHA256"])
    return folder, record


# ---------------------------------------------------------------- sets


def registry(path: Path) -> tuple[list[Table], list[Table]]:
    """The sets, checked, and the clips."""
    tables = tomllib.loads(path.read_text("utf-8"))
    clips = tables.pop("clips", [])
    entries = [{"set": name, **table} for name, table in tables.items()]
    for entry in entries:
        check(entry)
    train, test = ({e["package"] for e in entries if e["split"] == split} for split in SPLITS)
    if shared := sorted(train & test):
        raise CorpusError(
            f"{path.name} has {len(shared)} packages in both train and test ({', '.join(shared)}) "
            "where 0 are allowed: give each package one split."
        )
    return entries, clips


def check(entry: Table) -> None:
    """Domain and split must be among the known ones."""
    for field, known in (("domain", DOMAINS), ("split", SPLITS)):
        if entry.get(field) not in known:
            raise CorpusError(
                f"The set '{entry['set']}' has {field} '{entry.get(field)}' where one of "
                f"{', '.join(known)} is needed: mend it."
            )


def chosen(entries: list[Table], names: list[str] | None, large: bool) -> list[Table]:
    """The sets asked for, or all that are not large."""
    if not names:
        return [entry for entry in entries if large or not entry.get("large")]
    known = [entry["set"] for entry in entries]
    if unknown := sorted(set(names) - set(known)):
        raise CorpusError(
            f"'{unknown[0]}' is none of the {len(known)} sets: choose from {', '.join(known)}."
        )
    return [entry for entry in entries if entry["set"] in names]


def add_set(entry: Table, root: Path, workers: int) -> None:
    """Fetch, unpack and decode one set of the registry."""
    folder, record = unpack(entry["package"], root)
    entry = {**entry, "version": record["Version"]}
    build_part(entry, folder, record["SHA256"], root, workers)


def add_folder(folder: Path, entry: Table, root: Path, workers: int) -> None:
    """Lay out any folder of audio as a set of the store."""
    if not folder.is_dir():
        raise CorpusError(
            f"'{folder}' is not a folder (0 found, 1 needed): give --audio-dir a folder of audio."
        )
    name = folder.resolve().name
    entry = {"set": name, **entry, "package": name, "version": ""}
    entry |= {"licence": "unknown", "author": "unknown"}
    check(entry)
    stats = [(path.relative_to(folder).as_posix(), path.stat()) for path in folder.rglob("*")]
    origin = json.dumps(sorted([path, stat.st_size, stat.st_mtime_ns] for path, stat in stats))
    build_part(entry, folder, origin, root, workers)


# ---------------------------------------------------------------- the command


def summary(rows: list[Table]) -> str:
    """Files and hours of each domain and split."""
    lines = []
    for domain, split in sorted({(row["domain"], row["split"]) for row in rows}):
        mine = [r["samples"] for r in rows if (r["domain"], r["split"]) == (domain, split)]
        lines.append(f"{domain:8} {split:6} {len(mine):5} files {sum(mine) / RATE / 3600:6.2f} h")
    return "\n".join(lines)


def parse(words: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description="Fetch, decode and lay out the audio corpus.")
    parser.add_argument("--root", type=Path, default=Path("corpus"))
    parser.add_argument("--large", action="store_true", help="also the sets marked large")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="only these sets")
    parser.add_argument("--audio-dir", type=Path, help="add this folder of audio instead")
    parser.add_argument("--domain", default="music", help=f"its domain: {', '.join(DOMAINS)}")
    parser.add_argument("--split", default="train", help=f"its split: {', '.join(SPLITS)}")
    parser.add_argument("--clips", action="store_true", help="write the clips that ship instead")
    parser.add_argument("--workers", type=int, default=min(2, os.cpu_count() or 1))
    return parser.parse_args(words)


def run(options: argparse.Namespace) -> None:
    """Do what the command line asks."""
    root, workers = options.root, options.workers
    if workers < 1:
        raise CorpusError(f"--workers is {workers} where at least 1 is needed: give a larger one.")
    if options.audio_dir:
        entry = {"domain": options.domain, "split": options.split}
        add_folder(options.audio_dir, entry, root, workers)
    else:
        entries, clips = registry(REGISTRY)
        if options.clips:
            build_clips(clips, entries, lambda package: unpack(package, root), ASSETS)
            return
        for entry in tqdm(chosen(entries, options.sets, options.large), disable=None):
            add_set(entry, root, workers)
    print(summary(join(root)))


def main(words: list[str] | None = None) -> int:
    """Run the command; 2 when the person running it has something to mend."""
    try:
        run(parse(words))
    except CorpusError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
