"""The network of the flow: the velocity from interpolated MS to fused MS.

It works on groups of `NetworkConfig.bands` bands in any order, so one set of weights serves every band count.
All convolutions run on a grid `cell` times coarser than PAN, reached by pixel-unshuffle, which is lossless. MS is
interpolated to PAN's grid before, so the same weights take any ratio.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from ..scene.statistics import CONDITIONS_PER_BAND, CONDITIONS_PER_SCENE

SHARED_GUIDES = 3  # of bands that share one PAN: PAN, PAN at MS sharpness, and the intensity that the MS bands give
DARKEST = 0.25  # deviations above the dark level; the smallest divisor of modulation
BRIGHTEST = 4.0  # largest modulation of PAN's detail


@dataclass(frozen=True)
class NetworkConfig:
    """The sizes of the network and the order of bands that it was tuned to; saved with the weights."""

    bands: int = 4  # bands of a group
    width: int = 32  # channels of a layer
    blocks: int = 6  # residual blocks
    cell: int = 2  # PAN pixels along the side of one cell of the working grid
    hidden: int = 64  # width of the layer that reads time and scene conditions
    order: tuple[int, ...] = ()  # bands of the scenes of the tuning, as `band_groups` takes them; empty if not tuned

    @property
    def conditions(self) -> int:
        """Number of values that condition a group of bands."""
        return 1 + CONDITIONS_PER_SCENE + CONDITIONS_PER_BAND * self.bands

    @property
    def guides(self) -> int:
        """The number of images besides the state: PAN of each band, the same at MS sharpness, and the intensity."""
        return 2 * self.bands + 1

    @property
    def halo(self) -> int:
        """The PAN pixels around a pixel that its result depends on, a multiple of `cell`."""
        return self.cell * (2 * self.blocks + 2 + 1)


@dataclass(frozen=True)
class Guidance:
    """The condition of the flow, in units of the scene's deviations."""

    guides: torch.Tensor  # (n, 2 bands + 1, H, W) PAN of each band, the same at MS sharpness, intensity of the bands
    injection: torch.Tensor  # (n, bands) share of PAN's detail in each band
    depth: torch.Tensor  # (n, 2 bands) height of the means of the bands and of their PANs above their dark levels
    scene: torch.Tensor  # (n, conditions - 1) numbers that describe the scene, from `SceneStatistics.condition`

    def modulate_detail(self, x: torch.Tensor) -> torch.Tensor:
        """Modulate PAN's detail by each band's brightness over PAN's, (n, bands, H, W).

        High-pass modulation: (x - dark) / (PAN low - dark) * (PAN - PAN low), with dark levels for haze (Lolli et
        al., 2017).
        """
        bands = x.shape[1]
        above = (self.low + self.depth[:, bands:, None, None]).clamp_min(DARKEST)
        ratio = ((x + self.depth[:, :bands, None, None]) / above).clamp(0.0, BRIGHTEST)
        return ratio * self.detail

    @property
    def low(self) -> torch.Tensor:
        """PAN of each band at MS sharpness, (n, bands, H, W)."""
        bands = self.injection.shape[1]
        return self.guides[:, bands : 2 * bands]

    @property
    def detail(self) -> torch.Tensor:
        """The detail of each band's PAN beyond MS sharpness, (n, bands, H, W)."""
        return self.guides[:, : self.injection.shape[1]] - self.low


class ResidualBlock(nn.Module):
    """Residual block whose inner features are scaled and shifted by the time and scene conditions."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor, scale: torch.Tensor, shift: torch.Tensor) -> torch.Tensor:
        """Transform features x (n, width, h, w) by modulations (n, width, 1, 1) to features of the shape of x."""
        inner = torch.relu(self.conv1(x) * (1.0 + scale) + shift)  # (n, width, h, w)
        return x + self.conv2(inner)


class FlowNetwork(nn.Module):
    """The velocity v(x, t | guidance) of the flow from interpolated MS (t = 0) to fused MS (t = 1).

    The injection of PAN's detail with each band's own gain (as in MTF-GLP with regression gains, Vivone et al., 2018)
    is part of the velocity, so untrained weights already sharpen. The network adds, pixel by pixel, a share of the
    modulated detail and a remainder.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        pixels = config.cell**2
        self.head = nn.Conv2d((2 * config.bands + config.guides) * pixels, config.width, 3, padding=1)
        self.blocks = nn.ModuleList(ResidualBlock(config.width) for _ in range(config.blocks))
        self.tail = nn.Conv2d(config.width, 2 * config.bands * pixels, 3, padding=1)
        self.film = nn.Linear(config.conditions, config.hidden)
        self.modulate = nn.Linear(config.hidden, 2 * config.width * config.blocks)
        for parameter in (*self.tail.parameters(), *self.modulate.parameters()):
            nn.init.zeros_(parameter)  # training starts at plain injection

    def channels_last(self) -> FlowNetwork:
        """Move the weights to the memory layout in which convolutions are fastest. Returns the network itself."""
        for parameter in self.parameters():
            if parameter.dim() == 4:
                parameter.data = parameter.data.contiguous(memory_format=torch.channels_last)
        return self

    def forward(self, x: torch.Tensor, time: torch.Tensor, given: Guidance) -> torch.Tensor:
        """Compute the velocity at the state x, both (n, bands, H, W), and time (n,); H, W are multiples of `cell`."""
        cell, bands = self.config.cell, self.config.bands
        modulated = given.modulate_detail(x)  # (n, bands, H, W)
        images = torch.cat([x, given.guides, modulated], dim=1)  # (n, 4 bands + 1, H, W)
        cells = pixel_unshuffle(images, cell)  # (n, (4 bands + 1) cell^2, H / cell, W / cell)
        features = torch.relu(self.head(cells))  # (n, width, H / cell, W / cell)
        conditions = torch.cat([time[:, None], given.scene], dim=1)  # (n, conditions)
        modulation = self.modulate(torch.relu(self.film(conditions)))  # (n, 2 blocks width)
        parts = modulation[:, :, None, None].chunk(2 * self.config.blocks, dim=1)  # 2 blocks times (n, width, 1, 1)
        for i, block in enumerate(self.blocks):
            features = block(features, parts[2 * i], parts[2 * i + 1])  # (n, width, H / cell, W / cell)
        out = pixel_shuffle(self.tail(features), cell)  # (n, 2 bands, H, W): shares of modulated detail, remainders
        return given.injection[:, :, None, None] * given.detail + out[:, :bands] * modulated + out[:, bands:]
