"""Settings of the random sensors that training examples are simulated with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..errors import TrainingError
from ..geometry.transfer import TransferFunction
from .dataset import Source

GUIDED_RATIO = 6.0  # of Sentinel-2's coarsest bands to the finest
GUIDED_GAINS = (0.2, 0.25, 0.3, 0.35, 0.4)  # of Gaussians; the functions of few scenes alone are learnt by heart
MAX_GUIDES = 4  # random PANs that are combined to the PAN of a band


@dataclass(frozen=True)
class SimulationConfig:
    """The random sensor. Shares are probabilities in [0, 1], deviations are in units of the band's deviation."""

    crop: int = 256  # side of a simulated scene in PAN pixels
    shrink: float = 2.5  # largest factor by which a source is shrunk first, for more scales and sharper targets
    shrunk_share: float = 0.4  # how often it is
    gamma: float = 1.6  # largest exponent (or its inverse) that bends the histogram
    glare: float = 0.9  # largest exponent of exp(glare x deviation), which gives the histogram a long bright tail
    built_share: float = 0.25  # how often synthetic structure is drawn over the scene
    ratios: tuple[float, float, float] = (2.0, 3.0, 4.0)  # ratios that are drawn
    ratio_shares: tuple[float, float, float] = (0.35, 0.1, 0.45)  # of each of them; the rest is uniform between them
    gain: tuple[float, float] = (0.03, 0.65)  # at the MS Nyquist frequency, before sharpening and resampling
    transfers: tuple[TransferFunction, ...] = ()  # transfer functions that are drawn instead, where there are any
    gaussian_share: float = 0.3  # how often the transfer function is Gaussian; others are steep, sharpened or resampled
    band_jitter: float = 0.08  # deviation of the logarithm of the transfer function at Nyquist between bands
    exact_share: float = 0.3  # how often the network is given the true transfer function, else the measured one
    shift: float = 0.12  # deviation, in PAN pixels, of the residual misregistration of all bands
    band_shift: float = 0.08  # the same, of each band by itself
    noise: float = 0.08  # largest noise of MS
    pan_noise: float = 0.1  # largest noise of PAN
    guides_share: float = 0.15  # how often every band has a PAN of its own, made of up to MAX_GUIDES random ones
    split_share: float = 0.0  # how often, without a PAN, some bands are the guides of the others
    sharpened_share: float = 0.3  # how often PAN is sharpened
    sharpened: float = 0.6  # largest share of its detail that this adds
    bright_share: float = 0.08  # how often a few small bright objects are added to an even scene
    pan_blur: float = 0.5  # largest deviation, in PAN pixels, of a blur that makes PAN softer than the target
    stray_share: float = 0.4  # how often PAN's blur has long tails
    stray: float = 0.12  # largest share of the light in one of its scales
    paired_share: float = 0.45  # how often a scene with a PAN is drawn rather than one without
    synthetic_share: float = 0.1  # how often a scene that has a PAN gets a synthetic one
    negative_share: float = 0.15  # how often a synthetic PAN answers negatively to a band
    mixed_share: float = 0.3  # how often the response of a synthetic PAN changes over the scene
    coarse_share: float = 0.25  # how often MS and PAN are quantised to about 8 bits
    saturated_share: float = 0.05  # how often the brightest 0.1 to 3 % of the pixels are clipped
    haze_share: float = 0.08  # how often uneven haze lies over the scene
    cloud_share: float = 0.03  # how often clouds do, with a parallax of up to 8 PAN pixels between MS and PAN
    hole_share: float = 0.04  # how often parts of MS, or of both, are nodata
    corrupt_share: float = 0.0  # how often PAN does not fit MS at all, to measure how training copes with bad pairs
    smooth_share: float = 0.25  # how often target and PAN are blurred alike, as products that are soft for their pixels
    smooth: tuple[float, float] = (0.3, 0.9)  # range of that blur's deviation in pixels of the target
    low_gain_share: float = 0.2  # how often a low gain is drawn, where the target is not smooth
    low_gain: tuple[float, float] = (0.03, 0.12)  # range of low gains
    anisotropy: float = 0.08  # relative deviation between the gains along rows and along columns
    band_bend_share: float = 0.15  # how often every band's histogram is bent by itself
    band_bend: float = 0.15  # deviation of the logarithm of the exponent that bends it
    ordered_share: float = 0.0  # how often all bands come in the groups that fusion forms of the network's `order`

    @classmethod
    def of_sensor(cls, sources: Sequence[Source]) -> SimulationConfig:
        """Return settings for the sensors of `sources`, which have PANs of one ratio.

        Guides serve coarser bands too: some examples then have GUIDED_RATIO.
        Ratio, pixel size and transfer functions are the scenes' own, and PAN is as sharp as the target.
        Raises TrainingError where the ratios differ.
        """
        ratios = sorted(s.pair.ratio for s in sources if s.pair)
        if not ratios or ratios[-1] > 1.05 * ratios[0]:
            raise TrainingError(f"Weights of one sensor need pairs of one ratio, not of {ratios[:1] + ratios[-1:]}.")
        guided = any(s.pan is not None and s.pan.dim() > 2 for s in sources)
        ratio = float(round(ratios[0]))
        gaussians = map(TransferFunction.gaussian, GUIDED_GAINS if guided else ())
        return cls(
            crop=192,
            shrink=1.5 if guided else cls.shrink,
            shrunk_share=0.3 if guided else 0.0,
            gamma=1.3,
            glare=0.4,
            built_share=0.1,
            ratios=(ratio, ratio, GUIDED_RATIO if guided else ratio),
            ratio_shares=(0.8, 0.0, 0.2) if guided else cls.ratio_shares,
            transfers=(*(s.transfer for s in sources if s.pair), *gaussians),
            shift=0.08,
            noise=0.03 if guided else cls.noise,
            pan_noise=0.03 if guided else cls.pan_noise,
            guides_share=0.0,
            split_share=1.0 if guided else 0.0,
            sharpened_share=0.0,
            bright_share=0.04,
            pan_blur=0.0,
            stray_share=0.0,
            paired_share=0.8 if guided else 0.95,
            synthetic_share=0.0 if guided else 0.05,
            coarse_share=0.05 if guided else cls.coarse_share,
            smooth_share=0.0,
            low_gain_share=0.0,
            band_bend=0.05,
        )
