"""What happens at a latent frame: silence, an onset, a steady tone, or the rest (book: evaluation).

Each is a measure that librosa documents, with a threshold that stands here. Whoever wants other
thresholds gets other shares, so tables say these names and nothing finer.
"""

import librosa
import numpy as np
from numpy.typing import NDArray

# In the order in which they are asked for: a frame is the first that it fits.
MOMENTS = ("silence", "onset", "steady tone", "rest")
SILENCE_DB = 40.0  # under the loudest frame of the clip
FAINT_DB = -70.0  # of full scale: under this everything is silence
HARMONIC = 0.9  # share of the energy that lies in lines along time


def moments(wave: NDArray[np.floating], rate: int, hop: int) -> NDArray[np.int64]:
    """The place in `MOMENTS` of each frame of `hop` samples of a clip (n,), (⌈n/hop⌉,).

    Silence is the root mean square (librosa.feature.rms). An onset is a peak of the spectral flux
    (librosa.onset.onset_detect, its defaults). A steady tone is a frame whose energy a median
    filter along time keeps (librosa.decompose.hpss; Fitzgerald 2010). ValueError for an empty clip.
    """
    if wave.ndim != 1 or not len(wave):
        raise ValueError(f"the clip has shape {wave.shape}: give one channel of samples, (n,)")
    frames = -(-len(wave) // hop)
    padded = np.pad(wave.astype(np.float32), (0, frames * hop - len(wave)))
    # librosa centres windows on multiples of the hop. Half a hop later, they lie on the frames.
    power = np.abs(librosa.stft(padded[hop // 2 :], n_fft=2 * hop, hop_length=hop)) ** 2
    found = np.full(frames, MOMENTS.index("rest"))
    found[_steady(power)] = MOMENTS.index("steady tone")
    onsets = librosa.onset.onset_detect(y=padded, sr=rate, units="samples")
    found[np.minimum(onsets // hop, frames - 1)] = MOMENTS.index("onset")
    found[_silent(padded, hop)] = MOMENTS.index("silence")
    return found


def _steady(power: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Which columns of a spectrogram (bins, frames) are harmonic."""
    lines, _ = librosa.decompose.hpss(power)
    total = power.sum(axis=0)
    return np.asarray(lines.sum(axis=0) > HARMONIC * np.maximum(total, 1e-12))


def _silent(padded: NDArray[np.floating], hop: int) -> NDArray[np.bool_]:
    """Which frames are faint, in themselves or beside the loudest."""
    size = librosa.feature.rms(y=padded, frame_length=hop, hop_length=hop, center=False)[0]
    level = librosa.amplitude_to_db(size, amin=1e-6, top_db=None)
    return np.asarray(level < max(level.max() - SILENCE_DB, FAINT_DB))
