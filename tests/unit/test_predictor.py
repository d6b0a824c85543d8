"""The predictor, its rollout, the cost table, mixing and payload decoding."""

import pytest
import torch

from et_lite.config import PredictorConfig
from et_lite.predictor import Predictor, replaced_loss, rollout_loss, step_costs
from et_lite.segments import Segmentation
from scripts.plain_step import plain_mix
from tests.unit.conftest import awake


@pytest.fixture
def predictor() -> Predictor:
    torch.manual_seed(0)
    return awake(Predictor(PredictorConfig(channels=5, hidden=7, layers=3, inner=9)))


def test_paper_predictor_has_511808_parameters() -> None:
    assert sum(p.numel() for p in Predictor(PredictorConfig()).parameters()) == 511_808


def test_a_new_predictor_holds_the_frame_for_as_long_as_it_rolls() -> None:
    torch.manual_seed(0)
    latents = torch.randn(1, 64, 200)
    with torch.no_grad():
        rolled = Predictor(PredictorConfig()).rollout(latents, 12)
    errors = (rolled - latents[:, None]).square().mean((0, 2, 3)).tolist()
    assert errors[0] < 0.02 and max(errors) < 0.2


def test_step_is_pytorchs_gru_cells_and_a_swiglu(predictor: Predictor) -> None:
    frame, state = torch.randn(4, 5), torch.randn(4, 3, 7)
    hidden, states = predictor.enter(frame), []
    for layer, cell in enumerate(predictor.cells):
        hidden = cell(hidden, state[:, layer])
        states.append(hidden)
    normal = hidden * (hidden.square().mean(-1, keepdim=True) + torch.finfo().eps).rsqrt()
    normal = normal * predictor.norm.weight
    gated = torch.nn.functional.silu(predictor.gate(normal)) * predictor.value(normal)
    expected = predictor.leave(hidden + predictor.narrow(gated))
    got, after = predictor.step(frame, state)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(after, torch.stack(states, 1))


def test_rollout_repeats_steps_from_every_anchor(predictor: Predictor) -> None:
    latents = torch.randn(2, 5, 6)
    rolled = predictor.rollout(latents, 4)
    assert rolled.shape == (2, 4, 5, 6)
    for clip in range(2):
        for anchor in range(6):
            frame, state = latents[clip, :, anchor][None], None
            for step in range(4):
                frame, state = predictor.step(frame, state)
                torch.testing.assert_close(rolled[clip, step, :, anchor], frame[0])


def test_start_state_is_one_trainable_vector(predictor: Predictor) -> None:
    predictor.rollout(torch.randn(1, 5, 3), 2).sum().backward()
    assert predictor.start.shape == (7,) and predictor.start.grad.abs().sum() > 0


def test_step_costs_are_mean_squares_and_infinite_past_the_end() -> None:
    latents, predictions = torch.randn(2, 5, 6), torch.randn(2, 4, 5, 6)
    table = step_costs(latents, predictions)
    assert table.shape == (2, 6, 4) and table.dtype == torch.float32
    for a in range(6):
        for step in range(1, 5):
            if a + step < 6:
                error = predictions[0, step - 1, :, a] - latents[0, :, a + step]
                assert table[0, a, step - 1] == pytest.approx(error.square().mean().item())
            else:
                assert table[0, a, step - 1] == torch.inf
    assert step_costs(latents[..., :1], predictions[..., :1][:, :0]).shape == (2, 1, 0)


OFFSETS = torch.tensor([[0, 1, 2, 0, 0, 1], [0, 0, 1, 2, 3, 0]])


@pytest.mark.parametrize("lengths", [[1], [6], [3, 1, 2], [1, 4, 1], [1] * 6, [13, 1, 5, 2]])
def test_payload_decode_equals_mixing_in_exactly_the_missing_columns(
    predictor: Predictor, lengths: list[int]
) -> None:
    segmentation = Segmentation.from_lengths(lengths)
    frames, rows = segmentation.frames, 0
    latents = torch.randn(1, 5, frames)
    predictions = predictor.rollout(latents, 12)
    expected = plain_mix(latents, predictions, torch.from_numpy(segmentation.offsets)[None])[0]
    step = predictor.step

    def counted(frame, state=None):
        nonlocal rows
        rows += len(frame)
        return step(frame, state)

    predictor.step = counted
    with torch.no_grad():
        got = predictor.unroll(latents[0][:, segmentation.anchors.copy()], torch.tensor(lengths))
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=0)
    assert rows == frames - len(lengths)


def test_rows_leave_in_blocks_where_there_are_gradients(predictor: Predictor) -> None:
    lengths = torch.tensor([2, 1, 4] * 100)
    anchors, counts, step = torch.randn(5, 300), [], predictor.step

    def counted(frame, state=None):
        counts.append(len(frame))
        return step(frame, state)

    predictor.step = counted
    blocked = predictor.unroll(anchors, lengths)
    assert counts == [256, 128, 128]
    with torch.no_grad():
        exact = predictor.unroll(anchors, lengths)
    assert counts[3:] == [200, 100, 100]
    torch.testing.assert_close(blocked, exact)


def test_gradients_pass_through_the_tracked_steps_alone(predictor: Predictor) -> None:
    latents = torch.randn(2, 5, 6)
    plain, tracked = predictor.rollout(latents, 4), predictor.rollout(latents, 4, tracked=2)
    assert torch.equal(plain, tracked)
    steps = tracked.unbind(1)
    parameters = list(predictor.parameters())
    expected = torch.autograd.grad(plain[:, :2].square().sum(), parameters)
    got = torch.autograd.grad((steps[0].square() + steps[1].square()).sum(), parameters)
    torch.testing.assert_close(got, expected)
    assert not predictor.rollout(latents, 4, tracked=0).requires_grad


def test_autocast_leaves_latents_in_their_own_precision(predictor: Predictor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        frame, state = predictor.step(torch.randn(4, 5))
        again, _ = predictor.step(frame, state)
    assert frame.dtype == again.dtype == torch.float32 and state.dtype == torch.bfloat16
    predictor.double()
    frame, _ = predictor.step(torch.randn(4, 5, dtype=torch.float64))
    assert frame.dtype == torch.float64


def test_rollout_loss_weighs_horizons_by_their_frames() -> None:
    """Bralios et al.: at T = 96 the five weights are 0.2043, 0.2022, 0.2, 0.1978, 0.1957."""
    latents = torch.randn(2, 3, 96)
    exact = torch.stack([torch.roll(latents, -k, -1) for k in range(1, 6)], dim=1)
    assert rollout_loss(latents, exact, 5) == 0
    for k, weight in enumerate([0.2043, 0.2022, 0.2, 0.1978, 0.1957], start=1):
        off = exact.clone()
        off[:, k - 1] += latents[:, :, k:].std(correction=0)
        assert rollout_loss(latents, off, 5).item() == pytest.approx(weight, abs=5e-5)


def test_replaced_loss_is_in_units_of_the_targets_spread() -> None:
    latents = torch.randn(2, 5, 6)
    target = latents[(OFFSETS > 0)[:, None].expand_as(latents)]
    off = latents + 2 * target.std(correction=0)
    assert replaced_loss(latents, off, OFFSETS).item() == pytest.approx(4, rel=1e-5)
    assert replaced_loss(latents, off, torch.zeros_like(OFFSETS)) == 0
