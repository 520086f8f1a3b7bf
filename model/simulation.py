"""Training examples: random sensors simulated from sharp multispectral scenes by Wald's protocol.

A scene is degraded by a random MTF to a random ratio and grid offset; PAN is the scene's own, already as sharp as the
target, or synthesised with a random spectral response. What varies is named in `SimulationConfig`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from .alignment import PairWindow, measure_gain
from .degradation import Matrix, centres, cubic_matrix, mtf_matrix, resample
from .network import NetworkConfig
from .scene import high_pass, measure_statistics
from .structures import build_over

INTEGER_RATIOS = (2.0, 3.0, 4.0)


@dataclass(frozen=True)
class SimulationConfig:
    """The random sensor. Shares are probabilities in [0, 1], deviations are in units of the band's deviation.

    crop             side of a simulated scene in PAN pixels
    shrink           largest factor by which a source is shrunk first, for more scales and sharper targets
    gamma            largest exponent (or its inverse) that bends the histogram
    glare            largest exponent of exp(glare x deviation), which gives the histogram a long bright tail
    built_share      how often synthetic structure is drawn over the scene
    ratio_shares     of the ratios 2, 3 and 4; the rest is uniform between them
    gain             range of the MTF gain at Nyquist of MS relative to PAN
    band_jitter      relative deviation of the gain between bands
    gain_error       relative deviation, beside that of measuring it, of the gain that the network is told
    shift            deviation, in PAN pixels, of the residual misregistration
    noise            largest noise of PAN and of MS
    pan_blur         largest deviation, in PAN pixels, of a blur that makes PAN softer than the target
    synthetic_share  how often a scene that has a PAN gets a synthetic one
    negative_share   how often a synthetic PAN answers negatively to a band
    mixed_share      how often the response of a synthetic PAN changes over the scene
    coarse_share     how often MS and PAN are quantised to about 8 bits
    """

    crop: int = 256
    shrink: float = 2.5
    gamma: float = 1.6
    glare: float = 0.9
    built_share: float = 0.25
    ratio_shares: tuple[float, float, float] = (0.35, 0.1, 0.45)
    gain: tuple[float, float] = (0.03, 0.65)
    band_jitter: float = 0.08
    gain_error: float = 0.05
    shift: float = 0.12
    noise: float = 0.02
    pan_blur: float = 0.0
    synthetic_share: float = 0.2
    negative_share: float = 0.15
    mixed_share: float = 0.3
    coarse_share: float = 0.15


@dataclass(frozen=True)
class Source:
    """A scene to simulate from: ms (bands, h, w) float32 and, where it has one, PAN on the same grid (h, w)."""

    name: str
    family: str
    ms: torch.Tensor
    pan: torch.Tensor | None


@dataclass(frozen=True)
class Example:
    """A simulated scene in normalised units, for one group of bands.

    lms, target (bands, s, s)   guides (3, s, s)   injection, scale (bands,)   scene (conditions - 1,)
    ms (bands, k, k) is the simulated MS, and rows, columns (bands, k, s) are the maps from sharp to MS.
    `scale` is the deviation of the target's high-pass, by which errors are weighed.
    """

    lms: torch.Tensor
    target: torch.Tensor
    guides: torch.Tensor
    injection: torch.Tensor
    scale: torch.Tensor
    scene: torch.Tensor
    ms: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor


def simulate(source: Source, config: SimulationConfig, network: NetworkConfig, rng: np.random.Generator) -> Example:
    """One random sensor over one random crop of `source`."""
    sharp, real_pan = _crop(source, config, rng)
    order = rng.permutation(len(sharp))
    pan = _synthetic_pan(sharp, config, rng) if real_pan is None else real_pan
    if config.pan_blur > 0.0:
        pan = _soften(pan, config.pan_blur * float(rng.random()))
    sharp = sharp[order[: rng.integers(1, len(order) + 1)] if rng.random() < 0.5 else order]
    ratio = _draw_ratio(config, rng)
    gain = rng.uniform(*config.gain)
    origin = _draw_origin(ratio, rng)
    shift = rng.normal(0.0, config.shift, 2)
    count = int((config.crop - 1 - origin.max()) / ratio) + 1
    gains = np.clip(gain * np.exp(rng.normal(0.0, config.band_jitter, len(sharp))), 0.02, 0.7)
    spots = [centres(count, origin[axis] + shift[axis], ratio) for axis in (0, 1)]
    rows = np.stack([mtf_matrix(config.crop, spots[0], g, ratio) for g in gains])
    columns = np.stack([mtf_matrix(config.crop, spots[1], g, ratio) for g in gains])
    ms = _tensor(rows) @ sharp @ _tensor(columns).transpose(1, 2)
    ms, pan = _spoil(ms, config, rng), _spoil(pan[None], config, rng)[0]
    told = float(
        np.clip(_measured_gain(pan, ms, origin, ratio) * np.exp(rng.normal(0.0, config.gain_error)), 0.02, 0.7)
    )
    return _example(ms, pan, sharp, rows, columns, origin, ratio, told, network, rng)


def _example(
    ms: torch.Tensor, pan: torch.Tensor, sharp: torch.Tensor, rows: Matrix, columns: Matrix,
    origin: Matrix, ratio: float, gain: float, network: NetworkConfig, rng: np.random.Generator,
) -> Example:  # fmt: skip
    """What the fusion pipeline would hand to the network for this MS and PAN, and the answer."""
    size, count = pan.shape[-1], ms.shape[-1]
    spots = [centres(count, o, ratio) for o in origin]
    pan_at_ms = resample(pan, *(mtf_matrix(size, s, gain, ratio) for s in spots))
    statistics = measure_statistics([(ms, pan_at_ms, torch.ones_like(pan_at_ms, dtype=torch.bool))], ratio, gain)
    up = [cubic_matrix(count, centres(size, -o / ratio, 1.0 / ratio)) for o in origin]
    group = draw_group(len(ms), network.bands, rng)
    mean, std = (torch.tensor(v)[:, None, None] for v in (statistics.ms_mean, statistics.ms_std))
    ms, sharp = (ms - mean) / std, (sharp - mean) / std
    intensity = (torch.tensor(statistics.intensity)[:, None, None] * ms).sum(0)
    pan, pan_at_ms = ((p - statistics.pan_mean) / statistics.pan_std for p in (pan, pan_at_ms))
    coarse = resample(torch.stack([pan_at_ms, intensity, *ms[group]]), *up)
    target = sharp[group]
    return Example(
        lms=coarse[2:],
        target=target,
        guides=torch.stack([pan, coarse[0], coarse[1]]),
        injection=torch.tensor([statistics.injection[b] for b in group]),
        scale=high_pass(target).std(dim=(1, 2)).clamp_min(0.02),
        scene=torch.tensor(statistics.condition(group)),
        ms=ms[group],
        rows=_tensor(rows[group]),
        columns=_tensor(columns[group]),
    )


def _measured_gain(pan: torch.Tensor, ms: torch.Tensor, origin: Matrix, ratio: float) -> float:
    """The gain as the fusion pipeline would measure it, so that its errors are known from training."""
    all_valid = [torch.ones(i.shape[-2:], dtype=torch.bool) for i in (pan, ms)]
    return measure_gain(PairWindow(pan, all_valid[0], ms, all_valid[1], (origin[0], origin[1]), (ratio, ratio)))


def draw_group(available: int, size: int, rng: np.random.Generator) -> list[int]:
    """`size` band indices in random order, repeated where fewer bands are available."""
    order = rng.permutation(available)
    return [int(order[i % available]) for i in range(size)]


def _crop(
    source: Source, config: SimulationConfig, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """A random square of the source at a random scale, orientation and histogram, and PAN over it if it is used."""
    height, width = source.ms.shape[-2:]
    largest = min(height, width) / config.crop
    shrink = float(np.exp(rng.uniform(0.0, np.log(min(config.shrink, largest))))) if rng.random() < 0.6 else 1.0
    side = int(config.crop * shrink)
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    planes = source.ms
    built = rng.random() < config.built_share
    use_pan = source.pan is not None and not built and rng.random() >= config.synthetic_share
    if source.pan is not None and use_pan:
        planes = torch.cat([planes, source.pan[None]])
    planes = planes[:, top : top + side, left : left + side]
    if shrink > 1.0:
        spots = centres(config.crop, (shrink - 1.0) / 2.0, shrink)
        matrix = mtf_matrix(side, spots, rng.uniform(0.1, 0.5), shrink)
        planes = resample(planes, matrix, matrix)
    planes = build_over(planes, rng) if built else planes
    planes = torch.rot90(planes, int(rng.integers(4)), (1, 2))
    planes = planes.flip(2) if rng.random() < 0.5 else planes
    choice = rng.random()
    if choice < 0.3:
        planes = _bend(planes, float(np.exp(rng.uniform(-1, 1) * np.log(config.gamma))))
    elif choice < 0.6:
        planes = _glare(planes, config.glare * float(rng.random()))
    return (planes[:-1], planes[-1]) if use_pan else (planes, None)


def _bend(planes: torch.Tensor, exponent: float) -> torch.Tensor:
    """Another histogram: each plane's range taken to [0, 1] and raised to `exponent`."""
    low = planes.amin(dim=(1, 2), keepdim=True)
    spread = (planes.amax(dim=(1, 2), keepdim=True) - low).clamp_min(1e-6)
    return ((planes - low) / spread) ** exponent * spread + low


def _glare(planes: torch.Tensor, exponent: float) -> torch.Tensor:
    """A long bright tail, like roofs and glints among dark ground: exp(exponent x standardised value)."""
    mean, std = planes.mean(dim=(1, 2), keepdim=True), planes.std(dim=(1, 2), keepdim=True).clamp_min(1e-6)
    return torch.exp(exponent * ((planes - mean) / std).clamp(-5.0, 5.0)) * std


def _synthetic_pan(sharp: torch.Tensor, config: SimulationConfig, rng: np.random.Generator) -> torch.Tensor:
    """A PAN with a random spectral response to the bands, which may change slowly over the scene."""
    unit = (sharp - sharp.mean(dim=(1, 2), keepdim=True)) / sharp.std(dim=(1, 2), keepdim=True).clamp_min(1e-6)

    def respond() -> torch.Tensor:
        weights = rng.uniform(0.0, 1.0, len(unit)) ** 2 * (rng.random(len(unit)) < 0.75)
        weights[rng.integers(len(unit))] += 0.2
        if rng.random() < config.negative_share:
            weights[rng.integers(len(unit))] *= -0.5
        return torch.einsum("b,bhw->hw", torch.tensor(weights / np.abs(weights).sum(), dtype=torch.float32), unit)

    pan = respond()
    if rng.random() < config.mixed_share:
        knots = torch.tensor(rng.uniform(-0.5, 1.5, (1, 1, 5, 5)), dtype=torch.float32)
        share = torch.nn.functional.interpolate(knots, size=pan.shape, mode="bilinear", align_corners=True)[0, 0]
        pan = pan + share.clamp(0.0, 1.0) * (respond() - pan)
    return pan


def _soften(pan: torch.Tensor, deviation: float) -> torch.Tensor:
    """PAN blurred by a Gaussian: products whose MS was sharpened have a PAN that is softer than the target."""
    taps = np.arange(-2.0, 3.0)
    kernel = np.exp(-0.5 * (taps / max(deviation, 1e-3)) ** 2)
    weights = torch.tensor(kernel / kernel.sum(), dtype=pan.dtype)
    padded = torch.nn.functional.pad(pan[None, None], (2, 2, 2, 2), mode="replicate")
    across = torch.nn.functional.conv2d(padded, weights[None, None, None, :])
    return torch.nn.functional.conv2d(across, weights[None, None, :, None])[0, 0]


def _spoil(planes: torch.Tensor, config: SimulationConfig, rng: np.random.Generator) -> torch.Tensor:
    """Noise and quantisation of a sensor."""
    deviation = planes.std(dim=(1, 2), keepdim=True)
    noise = torch.from_numpy(rng.standard_normal(planes.shape, dtype=np.float32))
    planes = planes + config.noise * float(rng.random()) ** 2 * deviation * noise
    if rng.random() < config.coarse_share:
        step = (deviation * float(rng.uniform(0.01, 0.08))).clamp_min(1e-6)
        planes = torch.round(planes / step) * step
    return planes


def _draw_ratio(config: SimulationConfig, rng: np.random.Generator) -> float:
    shares = (*config.ratio_shares, 1.0 - sum(config.ratio_shares))
    choice = rng.choice(len(shares), p=shares)
    return (
        INTEGER_RATIOS[choice]
        if choice < len(INTEGER_RATIOS)
        else float(rng.uniform(INTEGER_RATIOS[0], INTEGER_RATIOS[-1]))
    )


def _draw_origin(ratio: float, rng: np.random.Generator) -> Matrix:
    """Where the first MS pixel's centre lies in PAN pixels: nested half of the time."""
    return np.full(2, (ratio - 1.0) / 2.0) if rng.random() < 0.5 else rng.uniform(0.0, ratio, 2)


def _tensor(array: Matrix) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float32))
