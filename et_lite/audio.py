"""Sound files: read, resample and write, through libsndfile and soxr (book: intro)."""

from pathlib import Path

import numpy as np
import soundfile
import soxr

from et_lite.storage import atomic_path

MOST_CHANNELS = 32  # more of them, and more than samples: a transposed array
BLOCK = 1 << 16  # samples written at once


def read(path: str | Path, longest: float | None = None) -> tuple[np.ndarray, int]:
    """A WAV, FLAC, OGG or MP3 file as float32 (S, n) and its rate in hertz.

    ValueError for a file that is missing, empty, or not audio, and for one that lasts more than
    `longest` seconds, of which no more than that is decoded.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path} does not exist: name a WAV, FLAC, OGG or MP3 file")
    try:
        with soundfile.SoundFile(path) as file:
            rate = file.samplerate
            _check_length(path, file.frames, rate, longest)
            # A header need not tell the truth: one sample more than allowed would show it.
            most = -1 if longest is None else int(longest * rate) + 1
            wave = file.read(most, dtype="float32", always_2d=True)
    except soundfile.LibsndfileError as error:
        reason = str(error.error_string).rstrip(".")
        raise ValueError(f"{path} is not readable audio ({reason}): convert it to WAV") from error
    _check_length(path, len(wave), rate, longest)
    wave = np.ascontiguousarray(wave.T)
    check(wave, rate)
    return wave, rate


def _check_length(path: Path, samples: int, rate: int, longest: float | None) -> None:
    if longest is not None and samples > int(longest * rate):
        raise ValueError(
            f"{path} lasts {samples / rate:.1f} s or more, over the {longest:g} s allowed: cut it"
        )


def write(path: str | Path, wave: np.ndarray, rate: int) -> None:
    """Write (S, n) samples; the suffix chooses the format. Samples beyond ±1 are clipped."""
    suffix = Path(path).suffix.lower()
    if suffix[1:].upper() not in soundfile.available_formats():
        raise ValueError(f"suffix {suffix!r} of {path} is not an audio format: use .wav or .flac")
    try:
        with (
            atomic_path(path) as temporary,
            soundfile.SoundFile(temporary, "w", rate, len(wave)) as file,
        ):
            # In blocks: libvorbis overflows its stack when given minutes at once.
            for start in range(0, wave.shape[1], BLOCK):
                file.write(np.clip(wave[:, start : start + BLOCK], -1, 1).T)
    except (soundfile.LibsndfileError, TypeError) as error:
        raise ValueError(
            f"{path} cannot hold {len(wave)} channels at {rate} Hz as {suffix}: use .wav"
        ) from error


def as_streams(wave: np.ndarray, rate: int) -> tuple[np.ndarray, int]:
    """(n,) or (S, n) samples as float32 (S, n), and the rate as an int. ValueError if unusable."""
    wave = np.atleast_2d(np.asarray(wave))
    if wave.dtype.kind != "f":
        raise ValueError(
            f"samples are {wave.dtype}, not floating-point: divide by the type's largest value"
        )
    if int(rate) != rate:
        raise ValueError(f"sample rate {rate} Hz is not a whole number: resample the sound first")
    check(wave, int(rate))
    return wave.astype(np.float32), int(rate)


def check(wave: np.ndarray, rate: int) -> None:
    """ValueError unless `wave` is (S, n) finite samples at a positive rate."""
    if wave.ndim != 2:
        raise ValueError(f"audio has {wave.ndim} dimensions, not 2: give (channels, samples)")
    if wave.size == 0:
        raise ValueError("audio has 0 samples: give at least one")
    if not np.isfinite(wave).all():
        bad = int((~np.isfinite(wave)).sum())
        raise ValueError(f"audio has {bad} samples that are not finite: replace NaN and infinity")
    if len(wave) > max(MOST_CHANNELS, wave.shape[1]):
        raise ValueError(
            f"audio has {len(wave)} channels of {wave.shape[1]} samples: give (channels, samples)"
        )
    if rate <= 0:
        raise ValueError(f"sample rate {rate} Hz is not positive: give the file's true rate")


def resample(wave: np.ndarray, rate: int, target: int, samples: int | None = None) -> np.ndarray:
    """(S, n) at `rate` to `target` hertz, cut or padded with zeros to `samples` if given."""
    if rate != target:
        wave = np.ascontiguousarray(soxr.resample(wave.T, rate, target).T, dtype=np.float32)
    if samples is not None:
        wave = np.pad(wave[:, :samples], ((0, 0), (0, max(0, samples - wave.shape[1]))))
    return wave
