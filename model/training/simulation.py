"""Training examples: random sensors simulated from sharp multispectral scenes by Wald's protocol.

A scene is degraded by a random MTF to a random ratio and grid offset; PAN is the scene's own, already as sharp as
the target, or synthesised with a random spectral response. `SimulationConfig` lists the random quantities.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from ..geometry.guides import measure_guides
from ..geometry.resampling import Matrix, centres, mtf_resampler
from ..geometry.transfer import TransferFunction
from ..geometry.window_pair import PairWindow
from ..network.flow_network import NetworkConfig
from ..scene.statistics import measure_statistics
from ..scene.transfer_measurement import measure_transfer
from . import sensor_effects
from .dataset import Source
from .example import Example, as_tensor, draw_group, read_example
from .simulation_config import MAX_GUIDES, SimulationConfig
from .transfer_shapes import draw_transfer, jitter_transfer

SMOOTH_LOW_SHARE = 0.7  # of smooth scenes that get a gain from `low_gain`


@dataclass(frozen=True)
class _SensorData:
    """The pair that the sensor recorded, the reference, the maps (bands, k, s) of its blur, its transfer function."""

    pair: PairWindow
    reference: torch.Tensor
    rows: torch.Tensor
    columns: torch.Tensor
    transfer: TransferFunction


def simulate(source: Source, config: SimulationConfig, network: NetworkConfig, rng: np.random.Generator) -> Example:
    """Simulate a random sensor over a random crop of `source`."""
    reference, real_pan, valid = _crop(source, config, rng)
    smooth = bool(rng.random() < config.smooth_share)
    if smooth:
        reference, real_pan, valid = _soften(reference, real_pan, valid, float(rng.uniform(*config.smooth)))
    if rng.random() < config.band_bend_share:
        reference = torch.cat([_bend(b[None], float(np.exp(rng.normal(0.0, config.band_bend)))) for b in reference])
    if real_pan is None and len(reference) > 1 and config.split_share and rng.random() < config.split_share:
        reference, real_pan = _split(reference, rng)
    guided = not config.ordered_share and rng.random() < config.guides_share
    if real_pan is not None and len(real_pan) > 1:
        pan = real_pan
    elif guided:
        pan = torch.stack([_synthesise_pan(reference, config, rng) for _ in range(rng.integers(2, MAX_GUIDES + 1))])
    else:
        pan = _synthesise_pan(reference, config, rng)[None] if real_pan is None else real_pan
    if rng.random() < config.bright_share:
        planes = sensor_effects.bright_objects(torch.cat([reference, pan]), rng)
        reference, pan = planes[: -len(pan)], planes[-len(pan) :]
    reference, pan = _add_weather(reference, pan, config, rng)
    pan = _blur_pan(pan, config, rng)
    corrupt = rng.random() < config.corrupt_share
    if corrupt:
        pan = torch.stack([_corrupt(p, rng) for p in pan])
    ordered = bool(config.ordered_share) and rng.random() < config.ordered_share
    if not ordered:
        order = rng.permutation(len(reference))
        reference = reference[order[: rng.integers(1, len(order) + 1)] if rng.random() < 0.5 else order]
    sensed = _sense(reference, pan, valid, smooth, config, rng)
    transfer = sensed.transfer
    if rng.random() >= config.exact_share:
        transfer = measure_transfer([sensed.pair.led])  # as fusion would measure it
    group = draw_group(len(reference), network, rng, ordered)
    return _make_example(sensed, transfer, group, corrupt)


def _split(reference: torch.Tensor, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Split the bands of a scene at random into those to sharpen and their guides."""
    order, count = rng.permutation(len(reference)), int(rng.integers(1, len(reference)))
    return reference[order[count:]], reference[order[:count]]


def _soften(
    reference: torch.Tensor, pan: torch.Tensor | None, valid: torch.Tensor, deviation: float
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
    """Blur bands and PAN, as of a product that is soft for its pixels."""
    bands = torch.stack([sensor_effects.soften(b, deviation) for b in reference])
    soft = None if pan is None else torch.stack([sensor_effects.soften(p, deviation) for p in pan])
    return bands, soft, (sensor_effects.soften(valid, deviation) > 0.999).float()


def _sense(
    reference: torch.Tensor,
    pan: torch.Tensor,
    valid: torch.Tensor,
    smooth: bool,
    config: SimulationConfig,
    rng: np.random.Generator,
) -> _SensorData:
    """Record MS and PAN by a random sensor; MS is valid where its blur reads valid pixels alone."""
    ratio = _draw_ratio(config, rng)
    gain = float(rng.uniform(*config.gain))
    if rng.random() < (SMOOTH_LOW_SHARE if smooth else config.low_gain_share):
        gain = float(np.exp(rng.uniform(*np.log(config.low_gain))))
    if config.transfers:
        transfer = config.transfers[rng.integers(len(config.transfers))]
    else:
        transfer = draw_transfer(gain, config.anisotropy, config.gaussian_share, rng)
    origin = _draw_origin(ratio, rng)
    shift = rng.normal(0.0, config.shift, 2)
    count = int((config.crop - 1 - origin.max()) / ratio) + 1
    maps: tuple[list[Matrix], list[Matrix]] = ([], [])
    for _ in reference:
        of_band, offset = (
            jitter_transfer(transfer, config.band_jitter, rng),
            shift + rng.normal(0.0, config.band_shift, 2),
        )
        for axis, values in enumerate((of_band.rows, of_band.columns)):
            positions = centres(count, origin[axis] + offset[axis], ratio)
            maps[axis].append(mtf_resampler(config.crop, positions, values, ratio).dense(config.crop))
    rows, columns = (as_tensor(np.stack(axis)) for axis in maps)
    ms = rows @ reference @ columns.transpose(1, 2)
    ms, pan = _record(ms, config.noise, config, rng), _record(pan, config.pan_noise, config, rng)
    lost = rows.abs() @ (1.0 - valid) @ columns.abs().transpose(1, 2)  # kernels have negative lobes
    ms_valid, pan_valid = (lost < 0.001).all(0), valid > 0.999
    if rng.random() < config.hole_share:
        ms_valid = ms_valid & sensor_effects.holes(count, rng)
        if rng.random() < 0.5:
            pan_valid = pan_valid & sensor_effects.holes(config.crop, rng)
    corner = float(origin[0]), float(origin[1])
    pair = PairWindow(pan.numpy(), pan_valid.numpy(), ms.numpy(), ms_valid.numpy(), corner, (ratio, ratio))
    if len(pan) > 1:
        pair = _combine_guides(pair, transfer)
    return _SensorData(pair, reference, rows, columns, transfer)


def _combine_guides(pair: PairWindow, transfer: TransferFunction) -> PairWindow:
    """Add the weights by which the guides of a pair make, for each band, the PAN that follows it best."""
    low, valid = pair.pan_at_ms(transfer)
    return replace(pair, guides=measure_guides([(pair.ms, low, valid)]))


def _make_example(sensed: _SensorData, transfer: TransferFunction, group: list[int], corrupt: bool) -> Example:
    """Build the inputs that fusion gives the network for this MS and PAN, and the target."""
    pair = sensed.pair
    sample = pair.ms, *pair.pan_at_ms(transfer)
    statistics = measure_statistics([sample], pair.ratio, transfer, guides=pair.guides)
    degrade = (sensed.rows[group], sensed.columns[group])
    return read_example(pair, pair.window, statistics, group, degrade, sensed.reference, corrupt)


def _add_weather(
    reference: torch.Tensor, pan: torch.Tensor, config: SimulationConfig, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Add haze, clouds and saturation to the scene and its PANs (pans, s, s)."""
    planes = torch.cat([reference, pan])
    if rng.random() < config.haze_share:
        planes = sensor_effects.haze(planes, float(rng.uniform(0.3, 2.0)), rng)
    if rng.random() < config.cloud_share:
        moved = rng.integers(-8, 9, 2)
        planes = sensor_effects.clouds(planes, len(pan), (int(moved[0]), int(moved[1])), rng)
    if rng.random() < config.saturated_share:
        planes = sensor_effects.saturate(planes, float(np.exp(rng.uniform(np.log(0.001), np.log(0.03)))))
    return planes[: len(reference)], planes[len(reference) :]


def _blur_pan(pan: torch.Tensor, config: SimulationConfig, rng: np.random.Generator) -> torch.Tensor:
    """Make PANs (pans, s, s) softer than the target, near their resolution or by stray light, or sharpen them."""
    if config.pan_blur > 0.0:
        deviation = config.pan_blur * float(rng.random())
        pan = torch.stack([sensor_effects.soften(p, deviation) for p in pan])
    if rng.random() < config.stray_share:
        shares = config.stray * rng.random(len(sensor_effects.STRAY_SCALES))
        pan = torch.stack([sensor_effects.scatter(p, shares) for p in pan])
    if rng.random() < config.sharpened_share:
        deviation, strength = float(rng.uniform(0.5, 1.2)), config.sharpened * float(rng.random())
        pan = torch.stack([sensor_effects.sharpen(p, deviation, strength) for p in pan])
    return pan


def _corrupt(pan: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Make a PAN (s, s) that does not fit MS: shifted, saturated or clouded."""
    choice = rng.integers(3)
    if choice == 0:
        angle, length = rng.uniform(0.0, 2.0 * np.pi), rng.uniform(2.0, 4.0)
        moved = (round(length * np.sin(angle)), round(length * np.cos(angle)))
        return torch.roll(pan, moved, (0, 1))
    if choice == 1:
        return sensor_effects.saturate(pan[None], 0.33)[0]
    return sensor_effects.clouds(torch.stack([pan, pan]), 1, (0, 0), rng)[1]


def _crop(
    source: Source, config: SimulationConfig, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
    """Cut a random square, scaled, turned and with another histogram. Returns MS, PANs if used, valid shares (h, w)."""
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
        planes = torch.cat([planes, source.pan.reshape(-1, height, width)])
    planes = planes[:, top : top + side, left : left + side]
    valid = torch.ones(1, side, side)
    if source.valid is not None:
        valid = source.valid[None, top : top + side, left : left + side].float()
    if shrink > 1.0:
        positions = centres(config.crop, (shrink - 1.0) / 2.0, shrink)
        blur = mtf_resampler(side, positions, TransferFunction.gaussian(rng.uniform(0.1, 0.5)).rows, shrink)
        matrix = as_tensor(blur.dense(side))
        planes, valid = (matrix @ plane @ matrix.T for plane in (planes, valid))
    planes = sensor_effects.build_over(planes, rng) if built else planes
    planes = torch.cat([planes, valid])
    planes = torch.rot90(planes, int(rng.integers(4)), (1, 2))
    planes = planes.flip(2) if rng.random() < 0.5 else planes
    planes, valid = planes[:-1], planes[-1]
    choice = rng.random()
    if choice < 0.3:
        planes = _bend(planes, float(np.exp(rng.uniform(-1, 1) * np.log(config.gamma))))
    elif choice < 0.6 and config.glare > 0.0:
        planes = _brighten_tail(planes, config.glare * float(rng.random()))
    count = len(source.ms)
    return planes[:count], planes[count:] if use_pan else None, valid


def _bend(planes: torch.Tensor, exponent: float) -> torch.Tensor:
    """Bend histograms: each plane's range is taken to [0, 1] and raised to `exponent`."""
    low = planes.amin(dim=(1, 2), keepdim=True)
    spread = (planes.amax(dim=(1, 2), keepdim=True) - low).clamp_min(1e-6)
    return ((planes - low) / spread) ** exponent * spread + low


def _brighten_tail(planes: torch.Tensor, exponent: float) -> torch.Tensor:
    """Give histograms a long bright tail, as of roofs and glints: exp(exponent x standardised value)."""
    mean, std = planes.mean(dim=(1, 2), keepdim=True), planes.std(dim=(1, 2), keepdim=True).clamp_min(1e-6)
    return torch.exp(exponent * ((planes - mean) / std).clamp(-5.0, 5.0)) * std


def _synthesise_pan(bands: torch.Tensor, config: SimulationConfig, rng: np.random.Generator) -> torch.Tensor:
    """Synthesise a PAN with a random spectral response, which may change slowly over the scene."""
    unit = (bands - bands.mean(dim=(1, 2), keepdim=True)) / bands.std(dim=(1, 2), keepdim=True).clamp_min(1e-6)

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


def _record(planes: torch.Tensor, noise: float, config: SimulationConfig, rng: np.random.Generator) -> torch.Tensor:
    """Add noise, up to `noise` deviations, and the quantisation of a sensor."""
    planes = sensor_effects.add_noise(planes, noise * float(rng.random()) ** 2, rng)
    return (
        sensor_effects.quantise(planes, float(rng.uniform(0.01, 0.08)))
        if rng.random() < config.coarse_share
        else planes
    )


def _draw_ratio(config: SimulationConfig, rng: np.random.Generator) -> float:
    shares = (*config.ratio_shares, 1.0 - sum(config.ratio_shares))
    choice, ratios = rng.choice(len(shares), p=shares), config.ratios
    return ratios[choice] if choice < len(ratios) else float(rng.uniform(ratios[0], ratios[-1]))


def _draw_origin(ratio: float, rng: np.random.Generator) -> Matrix:
    """Draw the centre of the first MS pixel in PAN pixels; half of the grids are nested."""
    return np.full(2, (ratio - 1.0) / 2.0) if rng.random() < 0.5 else rng.uniform(0.0, ratio, 2)
