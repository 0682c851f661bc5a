"""How far predicted frames are from true ones. Imported where it is used: torchmetrics takes a second to load."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F
from torchmetrics import MeanMetric, Metric, MetricCollection

WINDOW = 11
"""Rows and columns that structural similarity weighs together."""
SIGMA = 1.5
STEADY = (0.01**2, 0.03**2)
"""What keeps the ratios of flat windows finite, for values in 0 to 1."""


def frame_metrics() -> MetricCollection:
    """Squared and absolute error, summed over a frame's pixels, and structural similarity; means over frames."""
    # Each is updated by itself, from values of its own.
    return MetricCollection({"mse": MeanMetric(), "mae": MeanMetric(), "ssim": Similarity()}, compute_groups=False)


def score_frames(
    metrics: MetricCollection, answers: Float[Tensor, "B T C Y X"], truth: Float[Tensor, "B T C Y X"]
) -> None:
    """Adds frames of values in 0 to 1."""
    errors = answers - truth
    metrics["mse"].update(errors.square().sum((2, 3, 4)))
    metrics["mae"].update(errors.abs().sum((2, 3, 4)))
    metrics["ssim"].update(answers.flatten(0, 2), truth.flatten(0, 2))


class Similarity(Metric):
    """Structural similarity (Wang 2004) of gray images, averaged over images; 1 is the same image.

    The same as torchmetrics' own with data_range=1, in a tenth of the time: images are blurred by rows and by
    columns, as products with a matrix that holds the Gaussian window around each pixel.
    """

    full_state_update = False
    total: Tensor
    images: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("images", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, answers: Float[Tensor, "N Y X"], truth: Float[Tensor, "N Y X"]) -> None:
        """Adds images of at least 11 x 11 pixels, of values in 0 to 1."""
        down, across = (_windows(side).to(answers) for side in answers.shape[1:])
        parts = torch.stack([answers, truth, answers**2, truth**2, answers * truth])
        a, t, aa, tt, at = down @ (parts @ across.t())
        covariance, variances = at - a * t, (aa - a**2).clamp(min=0) + (tt - t**2).clamp(min=0)
        same_light = (2 * a * t + STEADY[0]) / (a**2 + t**2 + STEADY[0])
        same_texture = (2 * covariance + STEADY[1]) / (variances + STEADY[1])
        self.total += (same_light * same_texture).mean((1, 2)).double().sum()
        self.images += len(answers)

    def compute(self) -> Tensor:
        """The mean over all images."""
        return (self.total / self.images).float()


def _windows(side: int) -> Float[Tensor, "Y Y"]:
    """A Gaussian window around each of so many pixels, as a row of weights of sum 1; edges reflect what is inside."""
    around = WINDOW // 2
    reflected = F.pad(torch.eye(side).unsqueeze(0), (around, around), mode="reflect").squeeze(0)  # (Y, Y + 10)
    window = torch.exp(-((torch.arange(WINDOW) - around) ** 2) / (2 * SIGMA**2))
    blurred = reflected.unfold(1, WINDOW, 1) @ window  # each pixel (rows) in each window (columns)
    return blurred.t() / window.sum()
