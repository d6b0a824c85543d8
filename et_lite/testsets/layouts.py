"""Where each public test set keeps its sounds, read from folders as they are published."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from et_lite.data import read_rows

SOUNDS = {".wav", ".flac", ".mp3", ".ogg"}
VIDEO = 11  # letters of a YouTube identifier


class Item(NamedTuple):
    """One sound of a set: its name there, and the unit that intervals resample."""

    name: str
    unit: str
    file: Path


@dataclass(frozen=True)
class PublicSet:
    """A published set. `kind` is the domain whose embedding FAD takes, `source` who has it."""

    name: str
    title: str
    kind: str
    source: str
    items: Callable[[Path], list[Item]]


def song_describer(folder: Path) -> list[Item]:
    """The instrumental tracks of the Song Describer Dataset; the unit is the artist.

    Manco et al. (2023), data card: `audio/NN/TRACK.2min.mp3`. The tracks without singing are those
    of `song_describer-nosinging.csv`, on which Stable Audio Open was evaluated (Evans et al. 2024,
    the folder `load` of their stable-audio-metrics): put it there too. ValueError without it, and
    for a track that is not there.
    """
    table = _table(folder, "song_describer-nosinging.csv", "stable-audio-metrics/load")
    rows = {Path(row["path"]).stem: row for row in read_rows(table)}  # several captions a track
    sounds = {name.partition(".")[0]: file for name, file in _sounds(folder).items()}
    missing = [track for track in rows if track not in sounds]
    if missing:
        raise ValueError(
            f"{folder} lacks {len(missing)} of {len(rows)} tracks, such as {missing[0]}.2min.mp3: "
            "unpack audio.zip there"
        )
    return [Item(t, f"artist {row.get('artist_id') or t}", sounds[t]) for t, row in rows.items()]


def audiocaps(folder: Path) -> list[Item]:
    """The test clips of AudioCaps, as many as are still to be had; the unit is the video.

    Kim et al. (2019): `test.csv` has five captions for each of 975 clips. The sounds come from
    YouTube, and the tools that fetch them name a file by the video (`ID`, `YID`, `ID_START…`) or by
    one of its captions (`91139`). Those of the other splits may lie beside them.
    """
    table, sounds = _table(folder, "test.csv", "the AudioCaps repository"), _sounds(folder)
    begun = {n[:VIDEO]: f for n, f in sounds.items() if n[VIDEO : VIDEO + 1] == "_"}
    found: dict[str, Item] = {}
    for row in read_rows(table):
        video = row["youtube_id"]
        named = (sounds.get(name) for name in (video, f"Y{video}", row["audiocap_id"]))
        file = next(filter(None, named), begun.get(video))
        if file:
            found.setdefault(video, Item(video, video, file))
    return list(found.values())


def daps(folder: Path) -> list[Item]:
    """The clean recordings of DAPS, five texts of each of 20 speakers; the unit is the speaker.

    Mysore (2014): `clean/f1_script1_clean.wav` and so on, beside fourteen other versions. Which of
    them the paper takes is not said.
    """
    clean = {n: f for n, f in _sounds(folder).items() if n.endswith("_clean")}
    return [Item(name, name.partition("_")[0], file) for name, file in clean.items()]


def muchin(folder: Path) -> list[Item]:
    """The songs of MuChin, Chinese vocal music; each is a unit by itself.

    Wang et al. (2024): the sounds of `MuChin-1000-mp3-audio.zip`, whatever their folder.
    """
    return [Item(name, name, file) for name, file in _sounds(folder).items()]


# In the order in which the paper names them.
SETS = {
    found.name: found
    for found in (
        PublicSet("song-describer", "SongDescriber", "music", "zenodo 10072001", song_describer),
        PublicSet("audiocaps", "AudioCaps", "effects", "github cdjkim/audiocaps", audiocaps),
        PublicSet("muchin", "MuChin", "vocal", "huggingface karl-wang/MuChin1k", muchin),
        PublicSet("daps", "DAPS", "speech", "zenodo 4660670", daps),
    )
}


def _sounds(folder: Path) -> dict[str, Path]:
    """Every sound under a folder by its name without suffix.

    What begins with a dot is none: macOS leaves such files in archives, in DAPS's too.
    """
    files = (f for f in sorted(folder.rglob("[!.]*")) if f.suffix.lower() in SOUNDS)
    return {file.stem: file for file in files}


def _table(folder: Path, name: str, source: str) -> Path:
    """The file of this name somewhere under a folder. ValueError says where it comes from."""
    found = sorted(folder.rglob(name))
    if not found:
        raise ValueError(f"{folder} lacks {name}: put it there from {source}")
    return found[0]
