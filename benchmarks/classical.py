"""The methods that ours is measured against: the classical ones, and what people have at hand without them."""

from __future__ import annotations

import numpy as np
from otfm_pansharpen.model.quality.classical import CLASSICAL, Prepared, interpolation, prepare
from otfm_pansharpen.model.quality.indices import Image

__all__ = ["CLASSICAL", "SIMPLE", "prepare"]


def gdal_brovey(p: Prepared) -> Image:
    """Weighted Brovey as gdal_pansharpen has it: equal weights, PAN as it is."""
    pseudo = p.lms.mean(0)
    return np.asarray(p.lms * (p.pan / np.where(np.abs(pseudo) > 1e-9, pseudo, 1.0)))


SIMPLE = {"interpolation": interpolation, "GDAL Brovey": gdal_brovey}
