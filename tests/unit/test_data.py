"""Latent stores and the clips they are made from."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

from et_lite.data import LatentStore, corpus_clips
from et_lite.layers import Posterior
from et_lite.shards import ClipGroup, Spliced, mapped, notes


def posterior(frames: int, value: float) -> Posterior:
    return Posterior(torch.full((1, 4, frames), value), torch.full((1, 4, frames), 0.25))


def test_store_keeps_clips_apart_and_survives_its_file(tmp_path) -> None:
    clips = [
        ("music", posterior(5, 1.0)),
        ("speech", posterior(3, 2.0)),
        ("music", posterior(4, 3.0)),
    ]
    store = LatentStore.collect(clips)
    store.save(tmp_path / "a.safetensors")
    for loaded in (store, LatentStore.load(tmp_path / "a.safetensors"), LatentStore.load(tmp_path)):
        assert loaded.mean.dtype == np.float16 and loaded.mean.shape == (12, 4)
        assert loaded.lengths.tolist() == [5, 3, 4] and loaded.starts.tolist() == [0, 5, 8]
        assert (loaded.clip(1).mean == 2).all() and loaded.clip(1).mean.shape == (1, 4, 3)
        assert loaded.of("music").lengths.tolist() == [5, 4]


def test_shards_join_with_right_starts(tmp_path) -> None:
    for index in range(2):
        clips = [("music", posterior(4 + index, float(index)))]
        LatentStore.collect(clips).save(tmp_path / f"{index}.safetensors")
    store = LatentStore.load(tmp_path)
    assert store.starts.tolist() == [0, 4] and (store.clip(1).mean == 1).all()
    with pytest.raises(ValueError, match="holds no latents"):
        LatentStore.load(tmp_path / "nothing")


def test_leftovers_and_strangers_are_not_read_as_shards(tmp_path) -> None:
    store = LatentStore.collect([("music", posterior(4, 1.0))], "maker")
    store.save(tmp_path / "a.safetensors")
    (tmp_path / ".tmp-1.safetensors").write_bytes((tmp_path / "a.safetensors").read_bytes())
    loaded = LatentStore.load(tmp_path)
    assert len(loaded.lengths) == 1 and loaded.made_by == "maker"
    assert loaded.digest() == store.digest()
    LatentStore.collect([("music", posterior(4, 1.0))], "other").save(tmp_path / "b.safetensors")
    with pytest.raises(ValueError, match="several autoencoders"):
        LatentStore.load(tmp_path)
    (tmp_path / "c.safetensors").write_bytes(b"damaged")
    with pytest.raises(ValueError, match="does not hold latents"):
        LatentStore.load(tmp_path / "c.safetensors")
    with pytest.raises(ValueError, match="0 clips"):
        LatentStore.collect([])


def test_batches_stay_within_a_clip_and_draw_anew(store: LatentStore) -> None:
    values = LatentStore.collect([("music", posterior(30, 10.0 * i)) for i in range(4)])
    numbers, noise = np.random.default_rng(0), torch.Generator().manual_seed(0)
    batch = values.batch(numbers, noise, 64, 24)
    assert batch.shape == (64, 4, 24) and batch.dtype == torch.float32
    rounded = (batch / 10).round()
    assert (rounded == rounded[:, :1, :1]).all()  # one clip's value throughout
    assert len(rounded[:, 0, 0].unique()) == 4
    assert batch.sub(rounded * 10).std().item() == pytest.approx(0.25, rel=0.05)


def test_domains_are_drawn_evenly() -> None:
    clips = [
        ("music", posterior(500, 1.0)),
        ("speech", posterior(24, 2.0)),
        ("effects", posterior(24, 3.0)),
    ]
    store = LatentStore.collect(clips)
    batch = store.batch(np.random.default_rng(0), torch.Generator().manual_seed(0), 600, 24)
    shares = batch.mean((1, 2)).round().unique(return_counts=True)[1] / 600
    torch.testing.assert_close(shares, torch.full((3,), 1 / 3), atol=0.07, rtol=0)


@pytest.fixture
def corpus(tmp_path):
    """Music of 70 s in one file, speech in forty files of 1 s from two sets."""
    rate = 100
    (tmp_path / "audio").mkdir()
    np.save(tmp_path / "audio" / "music-train.npy", np.full(70 * rate, 16384, np.int16))
    speech = np.repeat(np.arange(1, 41), rate).astype(np.int16)
    np.save(tmp_path / "audio" / "speech-train.npy", speech)
    rows = ["domain,split,set,start,samples,ships", f"music,train,m,0,{70 * rate},no"]
    rows += [
        f"speech,train,{'ab'[i % 2]},{i * rate},{rate},{'yes' if i % 2 == 0 else 'no'}"
        for i in range(40)
    ]
    (tmp_path / "manifest.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_corpus_clips_join_short_files_of_one_set(corpus) -> None:
    clips = list(corpus_clips(corpus, "train", 10, 100))
    assert [domain for domain, _ in clips] == ["music"] * 2 + ["speech"] * 4
    assert all(10 <= len(wave) / 100 <= 41 for _, wave in clips)
    for _, wave in clips[2:]:
        pieces = {round(v * 32768) for v in np.unique(wave)} - {0}
        assert len({p % 2 for p in pieces}) == 1  # odd values are set a, even ones set b
        assert (wave == 0).sum() == 20 * (len(pieces) - 1)  # gaps of 0.2 s


def test_corpus_clips_give_a_long_file_piece_after_piece_and_no_sample_twice(corpus) -> None:
    samples = np.arange(1, 70 * 100 + 1).astype(np.int16)
    np.save(corpus / "audio" / "music-train.npy", samples)
    clips = [wave for _, wave in corpus_clips(corpus, "train", 10, 100, sets=["m"])]
    heard = np.sort(np.concatenate(clips)[np.concatenate(clips) > 0] * 32768)
    assert (np.diff(heard) >= 1).all() and len(heard) >= 60 * 100
    alone = next(corpus_clips(corpus, "train", 0.1, 100, sets=["m"]))[1]
    assert np.array_equal(alone, clips[0]) and len(alone) == 30 * 100


def test_corpus_clips_take_shorter_pieces_of_more_files_when_told(corpus) -> None:
    clips = [w for _, w in corpus_clips(corpus, "train", 10, 100, sets=["m"], longest=10)]
    assert len(clips[0]) == 10 * 100 and max(map(len, clips)) < 20.2 * 100  # rests are joined
    with pytest.raises(ValueError, match="5 s are shorter than a clip: take 10 s"):
        list(corpus_clips(corpus, "train", 10, 100, longest=5))


def test_shards_are_mapped_and_not_read(tmp_path) -> None:
    values = np.zeros((400_000, 64), np.float16)  # 51 MB
    numbers = np.array([400_000]), np.array([0])
    LatentStore(values, values, np.zeros(1, int), *numbers).save(tmp_path / "x.safetensors")

    def own_memory() -> int:  # kB that belong to no file
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if "RssAnon" in line).split()[1])

    (tmp_path / "y.safetensors").write_bytes((tmp_path / "x.safetensors").read_bytes())
    for place in ("x.safetensors", "."):
        before = own_memory()
        store = LatentStore.load(tmp_path / place)
        store.batch(np.random.default_rng(0), torch.Generator().manual_seed(0), 8, 96)
        assert own_memory() - before < 30_000


def test_a_files_arrays_are_those_that_the_library_reads(tmp_path) -> None:
    numbers, file = np.random.default_rng(0), tmp_path / "x.safetensors"
    arrays = {
        "mean": numbers.normal(size=(7, 3)).astype(np.float16),
        "scale": numbers.normal(size=(5,)).astype(np.float32),
        "lengths": numbers.integers(-9, 9, size=(2, 1, 2)),
    }
    save_file(arrays, file, metadata={"made_by": "me"})
    assert notes(file) == {"made_by": "me"}
    read, library = mapped(file, True), load_file(file)
    assert read.keys() == library.keys() == arrays.keys()
    for name, array in library.items():
        assert read[name].dtype == array.dtype and np.array_equal(read[name], array)
        assert not read[name].flags.writeable
    whole = file.read_bytes()
    for damaged in (b"", whole[:6], whole[:40], whole[:-1], whole.replace(b"F16", b"F17")):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match="does not hold latents"):
            LatentStore.load(file)
    save_file({"mean": arrays["mean"]}, file)
    with pytest.raises(ValueError, match="has no scale, lengths, domains"):
        LatentStore.load(file)


@pytest.mark.parametrize("files", ["a", "ab"])
def test_of_many_shards_no_page_is_read_ahead(tmp_path, files) -> None:
    values, numbers = np.zeros((4_000, 8), np.float16), (np.array([4_000]), np.array([0]))
    for name in files:
        one = LatentStore(values, values, np.zeros(1, int), *numbers)
        one.save(tmp_path / f"{name}.safetensors")
    store, flags, name = LatentStore.load(tmp_path), defaultdict[str, set[str]](set), ""
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if not line.split()[0].endswith(":"):  # a mapping begins, of a file or of none
            name = Path(line.split()[-1]).name
        elif line.startswith("VmFlags"):
            flags[name].update(line.split())
    assert all(("rr" in flags[f"{name}.safetensors"]) == (len(files) > 1) for name in files)
    assert not store.mean[3_000:].any()


def test_corpus_clips_respect_minutes_and_sets(corpus) -> None:
    assert len(list(corpus_clips(corpus, "train", 0.2, 100))) == 1 + 2
    assert {d for d, _ in corpus_clips(corpus, "train", 10, 100, sets=["a"])} == {"speech"}
    free = list(corpus_clips(corpus, "train", 10, 100, free=True))
    assert len(free) == 2 and {d for d, _ in free} == {"speech"}  # set a alone
    with pytest.raises(ValueError, match="no test files"):
        list(corpus_clips(corpus, "test", 1, 100))


def test_clips_are_drawn_as_numpy_draws_them() -> None:
    """One pass over all clips a store instead of one a draw, and the same draws."""
    clips, places = np.arange(5, 45), np.random.default_rng(0).integers(1, 500, size=40)
    group = ClipGroup.of(clips, places)
    ours, numpys = np.random.default_rng(1), np.random.default_rng(1)
    weights = places.astype(float)
    for _ in range(500):
        assert group.draw(ours) == numpys.choice(clips, p=weights / weights.sum())


def test_rows_of_many_arrays_are_those_of_one() -> None:
    numbers = np.random.default_rng(0)
    parts = [numbers.normal(size=(n, 3)).astype(np.float16) for n in (4, 1, 7)]
    spliced, joined = Spliced(parts, ""), np.concatenate(parts)
    assert spliced.shape == joined.shape and len(spliced) == 12
    assert np.asarray(spliced).dtype == np.float16 and np.array_equal(spliced, joined)
    for rows in (slice(3, 6), slice(None), np.array([[0, 11], [4, 5]]), np.array([], int)):
        assert np.array_equal(spliced[rows], joined[rows])
