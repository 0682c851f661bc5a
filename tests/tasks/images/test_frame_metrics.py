import pytest
import torch
from torchmetrics.image import StructuralSimilarityIndexMeasure

from seqtrain.tasks.images.frame_metrics import Similarity, frame_metrics, score_frames


def frames(*shape):
    torch.manual_seed(0)
    truth = torch.rand(shape)
    truth[0] = 0  # flat: no variance at all
    return (truth + 0.3 * torch.randn(shape)).clamp(0, 1), truth


@pytest.mark.parametrize("size", [(11, 11), (20, 33)])
def test_similarity_is_that_of_torchmetrics(size):
    answers, truth = frames(6, *size)
    theirs = StructuralSimilarityIndexMeasure(data_range=1.0)
    theirs.update(answers.unsqueeze(1), truth.unsqueeze(1))
    ours = Similarity()
    ours.update(answers[:4], truth[:4])
    ours.update(answers[4:], truth[4:])
    torch.testing.assert_close(ours.compute(), theirs.compute(), rtol=1e-5, atol=1e-5)


def test_an_image_is_like_itself():
    metric = Similarity()
    metric.update(frames(6, 16, 16)[1], frames(6, 16, 16)[1])
    assert float(metric.compute()) == pytest.approx(1, abs=1e-6)


def test_errors_are_summed_over_pixels_and_averaged_over_frames():
    metrics = frame_metrics()
    black = torch.zeros(3, 2, 1, 16, 16)
    gray = black.clone()
    gray[0, 0, 0, :2, :2] = 0.5
    score_frames(metrics, gray[:1], black[:1])
    score_frames(metrics, gray[1:], black[1:])
    values = {name: float(value) for name, value in metrics.compute().items()}
    assert values["mse"] == pytest.approx(4 * 0.25 / 6)
    assert values["mae"] == pytest.approx(4 * 0.5 / 6)
    assert 5 / 6 < values["ssim"] < 1


def test_color_channels_are_images_of_their_own():
    answers, truth = frames(2, 3, 2, 16, 16)
    whole, parts = frame_metrics(), Similarity()
    score_frames(whole, answers, truth)
    for channel in range(2):
        parts.update(answers[:, :, channel].flatten(0, 1), truth[:, :, channel].flatten(0, 1))
    torch.testing.assert_close(whole.compute()["ssim"], parts.compute())
