"""The clips that ship: short excerpts of freely licensed test files, and their attribution."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile
from corpus_store import RATE, CorpusError, Table, read_audio, read_source, to_int16, write_bytes

GAP = 0.2  # seconds between joined files
FADE = 0.005  # seconds, so that a cut does not click
PEAK = 0.98
STEREO_RATE = 44100
QUIETEST = -35.0  # dBFS
SILENCE = 1.0  # seconds of digital silence in a row
LICENCES = {
    "CC0-1.0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC-BY-3.0": "https://creativecommons.org/licenses/by/3.0/",
    "CC-BY-SA-3.0": "https://creativecommons.org/licenses/by-sa/3.0/",
}
TITLE = "# Attribution\n"
HEAD = """\
The clips in `clips/` are excerpts of the works below, each under the licence named beside it. They
come from Debian packages. What was changed: cut, faded for 5 ms at the cuts, joined with gaps of
0.2 s where there are several sources, turned down where they would have clipped, and, unless the
clip is stereo, mixed to mono and resampled to 22 050 Hz. Their order in a clip is the order here.
Written by `python scripts/build_corpus.py --clips`.

| clip | title | author | file | package | licence |
|---|---|---|---|---|---|
"""
LATENTS = """
The latents in `latents/` were encoded by `et-lite preencode` from files of these sets, cut to 30 s
and mixed to mono; they can be decoded to sound that resembles them, and stay under their licences.

| set | author | package | licence |
|---|---|---|---|
"""
Unpack = Callable[[str], tuple[Path, dict[str, str]]]


def build_clips(clips: list[Table], entries: list[Table], unpack: Unpack, assets: Path) -> None:
    """Write every clip as FLAC, and the attribution."""
    sets = {entry["set"]: entry for entry in entries}
    lines = []
    for clip in clips:
        package = source_package(clip, sets)
        folder, record = unpack(package)
        audio, rate = assemble(clip, folder)
        check_clip(clip["name"], audio, rate)
        content = io.BytesIO()
        soundfile.write(content, audio, rate, format="FLAC", subtype="PCM_16", compression_level=1)
        write_bytes(assets / "clips" / f"{clip['name']}.flac", content.getvalue())
        version = f"{package} {record['Version']}"
        lines += [credit(clip["name"], piece, version) for piece in pieces(clip)]
    text = HEAD + "".join(lines) + LATENTS + "".join(latent_credits(entries))
    write_section(assets / "ATTRIBUTION.md", "clips and latents", text)


def write_section(path: Path, name: str, text: str) -> None:
    """Replace what stands between the markers of `name`, or add it at the end; the rest stays."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    whole = path.read_text("utf-8") if path.exists() else TITLE
    if begin not in whole:
        whole += f"\n{begin}{end}"
    before, _, rest = whole.partition(begin)
    if end not in rest:
        raise CorpusError(
            f"{path.name} has '{end.strip()}' 0 times after its beginning where 1 is needed: put "
            "it back."
        )
    after = rest.partition(end)[2]
    write_bytes(path, f"{before}{begin}\n{text}\n{end}{after}".encode())


def latent_credits(entries: list[Table]) -> list[str]:
    """Rows for the training sets that may ship, which the pre-encoded latents come from."""
    free = [entry for entry in entries if entry.get("ships") and entry["split"] == "train"]
    return [
        f"| {entry['set']} | {entry['author']} | {entry['package']} "
        f"| [{entry['licence']}]({LICENCES[entry['licence']]}) |\n"
        for entry in free
    ]


def source_package(clip: Table, sets: dict[str, Table]) -> str:
    """The package of a clip, whose set must be free to ship and never trained on."""
    entry = sets.get(clip["set"], {})
    if not entry.get("ships") or entry["split"] != "test":
        raise CorpusError(
            f"The clip '{clip['name']}' comes from '{clip['set']}' where a test set with "
            "'ships = true' is needed: choose another set."
        )
    return entry["package"]


def pieces(clip: Table) -> list[Table]:
    """The excerpts a clip is joined from; what one does not say, the clip says for all."""
    shared = {key: value for key, value in clip.items() if key != "pieces"}
    return [{**shared, **piece} for piece in clip["pieces"]]


def assemble(clip: Table, folder: Path) -> tuple[np.ndarray, int]:
    """The samples of a clip, exactly as long as it says, and their rate."""
    stereo = bool(clip.get("stereo"))
    rate = STEREO_RATE if stereo else RATE
    audio = np.zeros((0, 2) if stereo else 0, np.int16)
    for number, piece in enumerate(pieces(clip)):
        if number:
            audio = np.concatenate([audio, np.zeros((round(GAP * rate), *audio.shape[1:]), "i2")])
        audio = np.concatenate([audio, excerpt(piece, folder, stereo, rate)])
    length = round(clip["seconds"] * rate)
    short = max(0, length - len(audio))
    return np.concatenate([audio, np.zeros((short, *audio.shape[1:]), np.int16)])[:length], rate


def excerpt(piece: Table, folder: Path, stereo: bool, target: int) -> np.ndarray:
    """One faded excerpt as int16 at the rate `target`."""
    source = piece["source"]
    audio, rate = read_audio(read_source(folder, source), Path(source).suffix)
    start = round(piece.get("start", 0.0) * rate)
    length = round((piece["take"] if "take" in piece else piece["seconds"]) * rate)
    audio = audio[start : start + length]
    audio = audio if stereo else audio.mean(1)
    ramp = np.minimum(1, np.arange(1, len(audio) + 1) / (FADE * rate))
    window = (ramp * ramp[::-1]).astype(np.float32)
    audio = audio * (window[:, None] if stereo else window)
    peak = np.abs(audio).max()
    return to_int16(audio * min(1, PEAK / peak), rate, target)


def check_clip(name: str, audio: np.ndarray, rate: int) -> None:
    """A clip must be loud enough, unclipped and without long silence."""
    level = 20 * np.log10(np.sqrt(np.mean((audio / 32768) ** 2)) + 1e-9)
    sounding = np.flatnonzero(np.any(audio.reshape(len(audio), -1) != 0, axis=1))
    silence = np.diff(sounding, prepend=-1, append=len(audio)).max() / rate
    for value, limit, broken, what in (
        (level, QUIETEST, level < QUIETEST, "dBFS of level"),
        (silence, SILENCE, silence > SILENCE, "s of silence"),
        (np.abs(audio.astype(int)).max(), 32766, np.abs(audio.astype(int)).max() > 32766, "peak"),
    ):
        if broken:
            raise CorpusError(
                f"The clip '{name}' has {value:.1f} {what} where the limit is {limit}: choose "
                "another excerpt."
            )


def credit(name: str, piece: Table, version: str) -> str:
    """One row of the attribution."""
    author = f"[{piece['author']}]({piece['link']})"
    licence = f"[{piece['licence']}]({LICENCES[piece['licence']]})"
    file = Path(piece["source"]).name
    return f"| {name} | {piece['title']} | {author} | `{file}` | {version} | {licence} |\n"
