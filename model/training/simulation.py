"""Training examples: random sensors simulated from sharp multispectral scenes by Wald's protocol.

A scene is degraded by a random MTF to a random ratio and grid offset; PAN is the scene's own, already as sharp as the
target, or synthesised with a random spectral response. What varies is named in `SimulationConfig`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..geometry.gap_filling import blur_valid, fill, fill_pan
from ..geometry.resampling import Matrix, centres, cubic_matrix, mtf_matrix, resample
from ..geometry.window_pair import PairWindow
from ..network.flow_network import Guidance, NetworkConfig
from ..scene.registration import measure_gain
from ..scene.statistics import high_pass, measure_statistics
from . import sensor_effects as artefacts
from .dataset import Source
from .structures import build_over


@dataclass(frozen=True)
class SimulationConfig:
    """The random sensor. Shares are probabilities in [0, 1], deviations are in units of the band's deviation.

    crop             side of a simulated scene in PAN pixels
    shrink           largest factor by which a source is shrunk first, for more scales and sharper targets
    shrunk_share     how often it is
    gamma            largest exponent (or its inverse) that bends the histogram
    glare            largest exponent of exp(glare x deviation), which gives the histogram a long bright tail
    built_share      how often synthetic structure is drawn over the scene
    ratios           ratios that are drawn         ratio_shares   of each of them; the rest is uniform between them
    gain             range of the MTF gain at Nyquist of MS relative to PAN
    band_jitter      relative deviation of the gain between bands
    gain_error       relative deviation, beside that of measuring it, of the gain that the network is told
    shift            deviation, in PAN pixels, of the residual misregistration
    noise            largest noise of PAN and of MS
    pan_blur         largest deviation, in PAN pixels, of a blur that makes PAN softer than the target
    stray_share      how often PAN's blur has long tails   stray   largest share of the light in one of its scales
    paired_share     how often a scene with a PAN is drawn rather than one without; their sensors then take turns
    synthetic_share  how often a scene that has a PAN gets a synthetic one
    negative_share   how often a synthetic PAN answers negatively to a band
    mixed_share      how often the response of a synthetic PAN changes over the scene
    coarse_share     how often MS and PAN are quantised to about 8 bits
    saturated_share  how often the brightest 0.1 to 3 % of the pixels are clipped
    haze_share       how often uneven haze lies over the scene
    cloud_share      how often clouds do, with a parallax of up to 8 PAN pixels between MS and PAN
    hole_share       how often parts of MS, or of both, are nodata
    corrupt_share    how often PAN does not fit MS at all: moved by 2 to 4 pixels, a third of it saturated, or under
                     clouds that MS does not have; for measuring what training makes of bad pairs
    """

    crop: int = 256
    shrink: float = 2.5
    shrunk_share: float = 0.4
    gamma: float = 1.6
    glare: float = 0.9
    built_share: float = 0.25
    ratios: tuple[float, float, float] = (2.0, 3.0, 4.0)
    ratio_shares: tuple[float, float, float] = (0.35, 0.1, 0.45)
    gain: tuple[float, float] = (0.03, 0.65)
    band_jitter: float = 0.08
    gain_error: float = 0.05
    shift: float = 0.12
    noise: float = 0.02
    pan_blur: float = 0.5
    stray_share: float = 0.4
    stray: float = 0.12
    paired_share: float = 0.45
    synthetic_share: float = 0.1
    negative_share: float = 0.15
    mixed_share: float = 0.3
    coarse_share: float = 0.15
    saturated_share: float = 0.05
    haze_share: float = 0.08
    cloud_share: float = 0.03
    hole_share: float = 0.04
    corrupt_share: float = 0.0


@dataclass(frozen=True)
class Example:
    """A simulated scene in normalised units, for one group of bands.

    lms, target (bands, s, s)   valid (1, s, s)   where the target counts
    guides (3, s, s)   injection, scale (bands,)   depth (bands + 1,)   scene (conditions - 1,)   as in `Guidance`
    ms (bands, k, k) is the simulated MS, and rows, columns (bands, k, s) are the maps from sharp to MS.
    `scale` is the deviation of the target's high-pass, by which errors are weighed.
    `corrupt` () is 1 where PAN was made not to fit.
    """

    lms: torch.Tensor
    target: torch.Tensor
    valid: torch.Tensor
    guides: torch.Tensor
    injection: torch.Tensor
    depth: torch.Tensor
    scene: torch.Tensor
    scale: torch.Tensor
    ms: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    corrupt: torch.Tensor

    @property
    def given(self) -> Guidance:
        """The condition of the flow; of a batch."""
        return Guidance(self.guides, self.injection, self.depth, self.scene)


@dataclass(frozen=True)
class _Sensed:
    """What the sensor recorded: MS, PAN, the truth, which bands' blur made MS, and how the grids lie."""

    ms: torch.Tensor
    pan: torch.Tensor
    sharp: torch.Tensor
    ms_valid: torch.Tensor
    pan_valid: torch.Tensor
    rows: Matrix
    columns: Matrix
    origin: Matrix
    ratio: float
    gain: float


def simulate(source: Source, config: SimulationConfig, network: NetworkConfig, rng: np.random.Generator) -> Example:
    """One random sensor over one random crop of `source`."""
    sharp, real_pan, valid = _crop(source, config, rng)
    pan = _synthetic_pan(sharp, config, rng) if real_pan is None else real_pan
    sharp, pan = _weather(sharp, pan, config, rng)
    pan = _blur_pan(pan, config, rng)
    corrupt = rng.random() < config.corrupt_share
    if corrupt:
        pan = _corrupt(pan, rng)
    order = rng.permutation(len(sharp))
    sharp = sharp[order[: rng.integers(1, len(order) + 1)] if rng.random() < 0.5 else order]
    sensed = _sense(sharp, pan, valid, config, rng)
    error = np.exp(rng.normal(0.0, config.gain_error))
    gain = float(np.clip(_measured_gain(sensed) * error, 0.02, 0.7))
    return _example(sensed, gain, network, corrupt, rng)


def _sense(
    sharp: torch.Tensor, pan: torch.Tensor, valid: torch.Tensor, config: SimulationConfig, rng: np.random.Generator
) -> _Sensed:
    """MS and PAN as a random sensor records them; MS is valid where its blur reads pixels that are."""
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
    ms, pan = _record(ms, config, rng), _record(pan[None], config, rng)[0]
    ms_valid, pan_valid = (_tensor(rows) @ valid @ _tensor(columns).transpose(1, 2) > 0.999).all(0), valid > 0.999
    if rng.random() < config.hole_share:
        ms_valid = ms_valid & artefacts.holes(count, rng)
        if rng.random() < 0.5:
            pan_valid = pan_valid & artefacts.holes(config.crop, rng)
    return _Sensed(ms, pan, sharp, ms_valid, pan_valid, rows, columns, origin, ratio, gain)


def _example(seen: _Sensed, gain: float, network: NetworkConfig, corrupt: bool, rng: np.random.Generator) -> Example:
    """What the fusion pipeline would hand to the network for this MS and PAN, and the answer."""
    size, count = seen.pan.shape[-1], seen.ms.shape[-1]
    rows, columns = (mtf_matrix(size, centres(count, o, seen.ratio), gain, seen.ratio) for o in seen.origin)
    spots = [centres(size, -o / seen.ratio, 1.0 / seen.ratio) for o in seen.origin]
    lift_rows, lift_columns = (cubic_matrix(count, s) for s in spots)
    to_ms, to_pan = (rows, columns), (lift_rows, lift_columns)
    pan_at_ms, share = blur_valid(seen.pan, seen.pan_valid, to_ms)
    windows = [(seen.ms, pan_at_ms, seen.ms_valid & (share > 0.99))]
    statistics = measure_statistics(windows, seen.ratio, gain)
    group = draw_group(len(seen.ms), network.bands, rng)
    mean, std = (torch.tensor(v)[:, None, None] for v in (statistics.ms_mean, statistics.ms_std))
    pan = (seen.pan - statistics.pan_mean) / statistics.pan_std
    known = (seen.ms - mean) / std
    ms = known if bool(seen.ms_valid.all()) else fill(known, seen.ms_valid)
    intensity = (torch.tensor(statistics.intensity)[:, None, None] * ms).sum(0)
    if not bool(seen.pan_valid.all()):
        pan = fill_pan(pan, seen.pan_valid, intensity, to_ms, to_pan)
    fine = resample(torch.stack([resample(pan, *to_ms), intensity, *ms[group]]), *to_pan)
    nearest = [np.clip(np.rint(s), 0, count - 1).astype(np.int64) for s in spots]
    target = ((seen.sharp - mean) / std)[group]
    return Example(
        lms=fine[2:],
        target=target,
        valid=(seen.pan_valid & seen.ms_valid[np.ix_(*nearest)])[None],
        guides=torch.stack([pan, fine[0], fine[1]]),
        injection=torch.tensor([statistics.injection[b] for b in group]),
        depth=torch.tensor(statistics.depth(group)),
        scene=torch.tensor(statistics.condition(group)),
        scale=high_pass(target).std(dim=(1, 2)).clamp_min(0.02),
        ms=ms[group],
        rows=_tensor(seen.rows[group]),
        columns=_tensor(seen.columns[group]),
        corrupt=torch.tensor(float(corrupt)),
    )


def _measured_gain(seen: _Sensed) -> float:
    """The gain as the fusion pipeline would measure it, so that its errors are known; the true one of small scenes."""
    origin = (float(seen.origin[0]), float(seen.origin[1]))
    pair = PairWindow(seen.pan, seen.pan_valid, seen.ms, seen.ms_valid, origin, (seen.ratio, seen.ratio))
    return measure_gain(pair, seen.gain)


def _weather(
    sharp: torch.Tensor, pan: torch.Tensor, config: SimulationConfig, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Haze, clouds and saturation over the scene and its PAN."""
    planes = torch.cat([sharp, pan[None]])
    if rng.random() < config.haze_share:
        planes = artefacts.haze(planes, float(rng.uniform(0.3, 2.0)), rng)
    if rng.random() < config.cloud_share:
        moved = rng.integers(-8, 9, 2)
        planes = artefacts.clouds(planes, (int(moved[0]), int(moved[1])), rng)
    if rng.random() < config.saturated_share:
        planes = artefacts.saturate(planes, float(np.exp(rng.uniform(np.log(0.001), np.log(0.03)))))
    return planes[:-1], planes[-1]


def _blur_pan(pan: torch.Tensor, config: SimulationConfig, rng: np.random.Generator) -> torch.Tensor:
    """PAN softer than the target, near its own resolution or by stray light over many pixels."""
    if config.pan_blur > 0.0:
        pan = artefacts.soften(pan, config.pan_blur * float(rng.random()))
    if rng.random() < config.stray_share:
        pan = artefacts.scatter(pan, config.stray * rng.random(len(artefacts.STRAY_SCALES)))
    return pan


def _corrupt(pan: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A PAN (s, s) that does not fit MS."""
    choice = rng.integers(3)
    if choice == 0:
        angle, length = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(2.0, 4.0)
        moved = (round(length * np.sin(angle)), round(length * np.cos(angle)))
        return torch.roll(pan, moved, (0, 1))
    if choice == 1:
        return artefacts.saturate(pan[None], 0.33)[0]
    return artefacts.clouds(torch.stack([pan, pan]), (0, 0), rng)[1]


def draw_group(available: int, size: int, rng: np.random.Generator) -> list[int]:
    """`size` band indices in random order, repeated where fewer bands are available."""
    order = rng.permutation(available)
    return [int(order[i % available]) for i in range(size)]


def _crop(
    source: Source, config: SimulationConfig, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
    """A random square of the source at a random scale, orientation and histogram, PAN over it if it is used, and the
    share of each pixel that is valid (crop, crop)."""
    height, width = source.ms.shape[-2:]
    largest = min(height, width) / config.crop
    shrink = (
        float(np.exp(rng.uniform(0.0, np.log(min(config.shrink, largest)))))
        if rng.random() < config.shrunk_share
        else 1.0
    )
    side = int(config.crop * shrink)
    top, left = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
    planes = source.ms
    built = rng.random() < config.built_share
    use_pan = source.pan is not None and rng.random() >= config.synthetic_share
    if source.pan is not None and use_pan:
        planes = torch.cat([planes, source.pan[None]])
    planes = planes[:, top : top + side, left : left + side]
    valid = torch.ones(1, side, side)
    if source.valid is not None:
        valid = source.valid[None, top : top + side, left : left + side].float()
    if shrink > 1.0:
        spots = centres(config.crop, (shrink - 1.0) / 2.0, shrink)
        matrix = mtf_matrix(side, spots, rng.uniform(0.1, 0.5), shrink)
        planes, valid = resample(planes, matrix, matrix), resample(valid, matrix, matrix)
    planes = build_over(planes, rng) if built else planes
    planes = torch.cat([planes, valid])
    planes = torch.rot90(planes, int(rng.integers(4)), (1, 2))
    planes = planes.flip(2) if rng.random() < 0.5 else planes
    planes, valid = planes[:-1], planes[-1]
    choice = rng.random()
    if choice < 0.3:
        planes = _bend(planes, float(np.exp(rng.uniform(-1, 1) * np.log(config.gamma))))
    elif choice < 0.6 and config.glare > 0.0:
        planes = _glare(planes, config.glare * float(rng.random()))
    return (planes[:-1], planes[-1], valid) if use_pan else (planes, None, valid)


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


def _record(planes: torch.Tensor, config: SimulationConfig, rng: np.random.Generator) -> torch.Tensor:
    """Noise and quantisation of a sensor."""
    planes = artefacts.add_noise(planes, config.noise * float(rng.random()) ** 2, rng)
    return artefacts.quantise(planes, float(rng.uniform(0.01, 0.08))) if rng.random() < config.coarse_share else planes


def _draw_ratio(config: SimulationConfig, rng: np.random.Generator) -> float:
    shares = (*config.ratio_shares, 1.0 - sum(config.ratio_shares))
    choice, ratios = rng.choice(len(shares), p=shares), config.ratios
    return ratios[choice] if choice < len(ratios) else float(rng.uniform(ratios[0], ratios[-1]))


def _draw_origin(ratio: float, rng: np.random.Generator) -> Matrix:
    """Where the first MS pixel's centre lies in PAN pixels: nested half of the time."""
    return np.full(2, (ratio - 1.0) / 2.0) if rng.random() < 0.5 else rng.uniform(0.0, ratio, 2)


def _tensor(array: Matrix) -> torch.Tensor:
    return torch.from_numpy(array.astype(np.float32))
