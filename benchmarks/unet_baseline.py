"""A network that lost against the bundled one, kept to be measured again: a U-Net with a path at PAN's resolution."""

from __future__ import annotations

import torch
from otfm_pansharpen.model.network.flow_network import SHARED_GUIDES, FlowNetwork, Guidance, NetworkConfig
from torch import nn
from torch.nn.functional import interpolate


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(torch.relu(self.conv1(x)))


class RivalUNet(FlowNetwork):
    """The same velocity, inputs and outputs as `FlowNetwork`, computed at full, half and quarter resolution.

    Plain residual blocks, widths and counts as given; `config` serves for the bands and conditions alone.
    """

    widths = (16, 32, 64)
    counts = (1, 2, 4)

    def __init__(self, config: NetworkConfig) -> None:
        nn.Module.__init__(self)  # none of the layers of FlowNetwork
        self.config = config
        a, b, c = self.widths
        self.head = nn.Conv2d(2 * config.bands + SHARED_GUIDES, a, 3, padding=1)
        self.levels = nn.ModuleList(
            nn.Sequential(*(_Residual(w) for _ in range(n))) for w, n in zip(self.widths, self.counts, strict=True)
        )
        self.down = nn.ModuleList([nn.Conv2d(a, b, 2, 2), nn.Conv2d(b, c, 2, 2)])
        self.up = nn.ModuleList([nn.Conv2d(c, b, 1), nn.Conv2d(b, a, 1)])
        self.back = nn.ModuleList([_Residual(b), _Residual(a)])
        self.describe = nn.Sequential(
            nn.Linear(config.conditions, config.hidden), nn.ReLU(), nn.Linear(config.hidden, c)
        )
        self.tail = nn.Conv2d(a, 2 * config.bands, 3, padding=1)
        for parameter in self.tail.parameters():
            nn.init.zeros_(parameter)

    def forward(self, x: torch.Tensor, time: torch.Tensor, given: Guidance) -> torch.Tensor:
        """As in `FlowNetwork`."""
        modulated = given.modulated(x)
        full = self.levels[0](torch.relu(self.head(torch.cat([x, given.guides, modulated], 1))))
        half = self.levels[1](torch.relu(self.down[0](full)))
        scene = self.describe(torch.cat([time[:, None], given.scene], 1))[:, :, None, None]
        quarter = self.levels[2](torch.relu(self.down[1](half) + scene))
        half = self.back[0](half + interpolate(self.up[0](quarter), scale_factor=2.0))
        full = self.back[1](full + interpolate(self.up[1](half), scale_factor=2.0))
        out, bands = self.tail(full), self.config.bands
        detail = given.guides[:, 0:1] - given.guides[:, 1:2]
        return given.injection[:, :, None, None] * detail + out[:, :bands] * modulated + out[:, bands:]
