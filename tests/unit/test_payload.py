"""The `.etp` file: what it keeps, and everything that can be wrong with one."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from et_lite import payload as module
from et_lite.payload import ElasticPayload


@pytest.fixture
def payload() -> ElasticPayload:
    anchors = np.random.default_rng(0).normal(size=(2, 3, 4)).astype("float32")
    lengths = np.array([[1, 2, 3, 1], [4, 1, 1, 1]], dtype=np.int64)
    return ElasticPayload(anchors, lengths, 1000, 7000, 1.0, "m", "f" * 64, "greedy", 4)


@pytest.fixture
def file(payload: ElasticPayload, tmp_path: Path) -> Path:
    payload.save(tmp_path / "a.etp", "float32")
    return tmp_path / "a.etp"


def test_numbers_of_a_payload(payload: ElasticPayload) -> None:
    assert (payload.frames, payload.kept, payload.reached) == (7, 4, True)
    assert payload.frame_rate == pytest.approx(4 / 7)
    assert payload.side_information_bits == pytest.approx(2 * np.log2(20))  # C(6, 3) twice


@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 0), ("float16", 2e-3)])
def test_file_round_trip(payload, tmp_path, precision, tolerance) -> None:
    payload.save(tmp_path / "b.etp", precision)
    again = ElasticPayload.load(tmp_path / "b.etp")
    np.testing.assert_allclose(again.anchors, payload.anchors, atol=tolerance)
    assert np.array_equal(again.lengths, payload.lengths)
    for name in module.FIELDS:
        assert getattr(again, name) == getattr(payload, name)


def test_channels_that_were_coded_together_are_kept(payload, tmp_path) -> None:
    replace(payload, sound_channels=4).save(tmp_path / "d.etp")
    assert ElasticPayload.load(tmp_path / "d.etp").sound_channels == 4
    payload.save(tmp_path / "e.etp")
    assert ElasticPayload.load(tmp_path / "e.etp").sound_channels is None


def test_lengths_take_as_few_bytes_as_they_can(payload, tmp_path) -> None:
    long = replace(payload, lengths=np.array([[1, 1, 1, 297]] * 2), samples=300_000)
    for value, kind in ((payload, "U8"), (long, "U16")):
        value.save(tmp_path / "c.etp")
        with safe_open(tmp_path / "c.etp", framework="np") as opened:
            assert opened.get_slice("lengths").get_dtype() == kind


def test_every_truncation_and_every_flipped_bit_is_found(file: Path) -> None:
    whole = file.read_bytes()
    for size in range(len(whole)):
        file.write_bytes(whole[:size])
        with pytest.raises(ValueError, match="make it again"):
            ElasticPayload.load(file)
    for place in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            file.write_bytes(damaged)
            try:
                ElasticPayload.load(file)
            except ValueError as error:
                assert len(str(error).splitlines()) == 1
            else:
                pytest.fail(f"bit {bit} of byte {place} may be flipped unseen")


def test_newer_version_says_so(payload, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(module, "VERSION", 2)
    payload.save(tmp_path / "new.etp")
    monkeypatch.setattr(module, "VERSION", 1)
    with pytest.raises(ValueError, match="has version 2, this et-lite reads up to 1: upgrade"):
        ElasticPayload.load(tmp_path / "new.etp")


def test_other_files_are_refused(tmp_path: Path) -> None:
    for name, content in (("text", b"hello"), ("empty", b""), ("json", json.dumps({}).encode())):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ValueError, match="not an elastic payload"):
            ElasticPayload.load(tmp_path / name)
    save_file({"x": np.ones(2)}, tmp_path / "other")
    with pytest.raises(ValueError, match="not an elastic payload"):
        ElasticPayload.load(tmp_path / "other")
    with pytest.raises(ValueError, match="does not exist"):
        ElasticPayload.load(tmp_path / "missing")


def test_impossible_payloads_are_refused(payload: ElasticPayload) -> None:
    with pytest.raises(ValueError, match="do not belong"):
        replace(payload, lengths=payload.lengths[:, :3])
    with pytest.raises(ValueError, match="length 0"):
        replace(payload, lengths=np.array([[0, 2, 4, 1]] * 2))
    with pytest.raises(ValueError, match="all must have the same"):
        replace(payload, lengths=np.array([[1, 2, 3, 1], [1, 2, 3, 2]]))
    with pytest.raises(ValueError, match="must all be positive"):
        replace(payload, samples=0)
    with pytest.raises(ValueError, match="do not fit"):
        replace(payload, samples=10_000_000)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sample_rate": "x"}, "sample_rate is 'x', not int"),
        ({"samples": float("inf")}, "samples is inf, not int"),
        ({"latent_rate": float("inf")}, "must all be positive"),
        ({"model": 3}, "model is 3, not str"),
        ({"sound_channels": 0}, "sound_channels is 0, not a count"),
        ({"sound_channels": "2"}, "sound_channels is '2', not a count"),
        ({"anchors": np.full((2, 3, 4), np.nan)}, "not all finite"),
        ({"lengths": np.ones((2, 4))}, "lengths are float64"),
    ],
)
def test_values_of_other_types_are_refused(payload, change, said) -> None:
    with pytest.raises(ValueError, match=said):
        replace(payload, **change)


def test_nothing_half_written_stays(payload, tmp_path) -> None:
    with pytest.raises(ValueError, match="exceeds what float16"):
        replace(payload, anchors=payload.anchors * 1e6).save(tmp_path / "d.etp")
    with pytest.raises(ValueError, match="'int8' is not float16 or float32"):
        payload.save(tmp_path / "d.etp", "int8")
    assert list(tmp_path.iterdir()) == []
