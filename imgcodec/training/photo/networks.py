"""Networks of a `photo` model in training, and what of their tables depends on lambda."""

import torch
from torch import Tensor, nn

from imgcodec.priors.integer.trainable import LevelTable
from imgcodec.priors.photo.transformer import PhotoPrior
from imgcodec.profiles.photo.model import scale_of_bytes
from imgcodec.tokenizers.layers import interpolate_levels, straight_through
from imgcodec.tokenizers.rvq import ResidualVQ
from imgcodec.training.photo.data import Lambdas


class PhotoNetworks(nn.Module):
    """Tokenizer and prior of a `photo` model in training."""

    def __init__(self, tokenizer: ResidualVQ, prior: PhotoPrior) -> None:
        super().__init__()
        self.tokenizer, self.prior = tokenizer, prior
        self.settings = {"widening": list(tokenizer.config.widening)}
        """What its weights are made for and do not show."""
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def weights_as_stored(visual: nn.Module) -> dict[str, Tensor]:
    """The parameters of the visual synthesis or of a part of it, rounded as `as_stored` does."""
    return {name: as_stored(name, weight) for name, weight in visual.named_parameters()}


def as_stored(name: str, weight: Tensor) -> Tensor:
    """A weight of the visual synthesis in the 8 bits that a model file has for it, with the gradient passed straight
    through. What is rounded only in the end takes 1.2 % more bits for the same MS-SSIM."""
    if weight.dim() != 4 or name == "linear.weight":
        return weight
    scale = scale_of_bytes(weight.detach())
    return straight_through((weight / scale).round() * scale, weight)


@torch.no_grad()
def shift_gains(model: PhotoNetworks, shifts: tuple[float, ...]) -> None:
    """Adds numbers to the logarithm of the gains of stage 1, one for each slice of the prior."""
    groups = torch.tensor(model.prior.config.slices[1])
    gains = model.tokenizer.log_gain[1]
    gains.add_(torch.tensor(shifts).repeat_interleave(groups).to(gains.device))


@torch.no_grad()
def change_lambdas(model: PhotoNetworks, old: Lambdas, new: Lambdas) -> None:
    """Interpolates everything that depends on the level, so that each level gets what the model had for its new lambda:
    a start for further training. Beyond the old range gains are extrapolated, and the rest is that of its end."""
    levels = model.tokenizer.config.levels
    new_logs = new.at(torch.arange(float(levels)), levels).log()
    old_logs = old.at(torch.arange(float(levels)), levels).log()
    old_level = (new_logs - old_logs[0]) / (old_logs[1] - old_logs[0])
    for table in model.tokenizer.log_gain:
        table.copy_(interpolate_levels(table, old_level)[:, :, 0, 0])
    syntheses = [s for s in (model.tokenizer.synthesis, model.tokenizer.visual) if s is not None]
    rows = [m.rows for m in model.prior.modules() if isinstance(m, LevelTable)]
    filters = [s.post_filter for s in syntheses if s.post_filter is not None]
    for table in [*(part.level for part in (*syntheses, *filters)), *(t for r in rows for t in r.split(levels))]:
        table.copy_(interpolate_levels(table, old_level.clamp(0, levels - 1))[:, :, 0, 0])
