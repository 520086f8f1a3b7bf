"""Values held within what is plausible for a band, without a step, while every neighbourhood keeps its mean.

Next to strong edges a sharpened image undershoots. Below the darkest plausible value it would be clipped, and valid
pixels would become 0, which no pixel of MS is; ratios of bands then divide by nothing. The same holds at saturation.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import avg_pool2d, pad

EVEN = 0.1  # of the room; ground that differs less from a limit, on average, lies at it
MIN_ROOM = 1e-3  # between a limit and its knee, as a share of their size; where there is less, values are clipped


@dataclass(frozen=True)
class PlausibleRange:
    """Range that values are held in, as they are read; bands in the order of the statistics."""

    low: tuple[float, ...]  # limit that is never passed
    low_knee: tuple[float, ...]  # value from which on it is approached; infinite where nothing is held
    high: tuple[float, ...]  # limit that is never passed
    high_knee: tuple[float, ...]  # the same of the upper limit
    side: int  # width in PAN pixels, odd, of the neighbourhoods that keep their means

    @classmethod
    def of(
        cls,
        extremes: Sequence[tuple[float, float]],
        limits: tuple[float, float],
        step: float,
        ratio: float,
        offsets: Sequence[float],
    ) -> PlausibleRange:
        """Return the range of bands whose lowest and highest values in MS are `extremes`.

        `limits` are what the output holds, and `step` is its smallest difference, 0 for fractions. A band that reaches
        a limit in MS, or stays far from it, is not held there. `offsets` were taken off the bands as they were read.
        """
        low, high = limits[0] + step, limits[1] - step
        floor = [low < least <= low + (most - least) for least, most in extremes]
        ceiling = [high - (most - least) <= most < high for least, most in extremes]

        def as_read(values: Iterable[float]) -> tuple[float, ...]:
            return tuple(value - offset for value, offset in zip(values, offsets))

        return cls(
            low=as_read(low if held else limits[0] for held in floor),
            low_knee=as_read(least if held else -math.inf for held, (least, _) in zip(floor, extremes)),
            high=as_read(high if held else limits[1] for held in ceiling),
            high_knee=as_read(most if held else math.inf for held, (_, most) in zip(ceiling, extremes)),
            side=2 * math.ceil(0.5 * (ratio - 1.0)) + 1,
        )

    @property
    def margin(self) -> int:
        """PAN pixels around a pixel that its result depends on."""
        return self.side // 2

    @torch.inference_mode()
    def hold(self, values: torch.Tensor, bands: Sequence[int]) -> None:
        """Hold values (n, h, w) of the bands, in place; their outermost `margin` pixels are not exact then.

        A band of -1 is left unchanged.
        """
        for band, plane in zip(bands, values):
            if band < 0:
                continue
            if float(plane.min()) < self.low_knee[band]:
                plane.copy_(self._raise_low(plane, self.low[band], self.low_knee[band]))
            if float(plane.max()) > self.high_knee[band]:
                plane.copy_(-self._raise_low(-plane, -self.high[band], -self.high_knee[band]))

    def _raise_low(self, values: torch.Tensor, low: float, knee: float) -> torch.Tensor:
        """Raise values (h, w) above `low`, from `knee` on along an exponential; the neighbourhood pays for it."""
        room = max(knee - low, MIN_ROOM * abs(knee))
        raised = torch.where(values < knee, low + room * torch.exp((values - knee) / room), values)
        added, above = (self._average(part) for part in (raised - values, raised - low))
        held = low + (raised - low) * (1.0 - added / above.clamp_min(1e-30)).clamp_min(0.0)
        even = (self._average((values - low).abs()) < EVEN * room) & (values < knee)  # no edge is near: really so dark
        return torch.where(even, values, held)

    def _average(self, values: torch.Tensor) -> torch.Tensor:
        """Return the means over neighbourhoods, of the same shape."""
        reach = self.margin
        padded = pad(values[None, None], (reach, reach, reach, reach), mode="replicate")
        return avg_pool2d(padded, self.side, stride=1)[0, 0]
