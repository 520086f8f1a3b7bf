"""What must hold of the raster that a random pair gave."""

from __future__ import annotations

import numpy as np
from fuzz_cases import KINDS, Case
from osgeo import gdal


def wrong(case: Case) -> str:
    """What is wrong with the raster that was written, empty where nothing is."""
    dataset = gdal.Open(str(case.job.output))
    if dataset is None:
        return "the output cannot be opened"
    image = dataset.ReadAsArray()
    return "" if case.damaged else wrong_image(case, dataset, image if image.ndim == 3 else image[None])


def wrong_image(case: Case, dataset: gdal.Dataset, image: np.ndarray) -> str:
    """The same for the pixels (bands, h, w) of a pair that was not damaged."""
    band = dataset.GetRasterBand(1)
    expected = case.job.options.data_type or gdal.GetDataTypeName(KINDS[str(case.ms.dtype)])
    source = gdal.Open(case.job.ms.path)
    last = source.GetRasterBand(source.RasterCount)
    if len(image) == len(case.ms) - 1 and last.GetColorInterpretation() == gdal.GCI_AlphaBand:
        return ""  # an image of hardly any values may be taken for the alpha that it is declared to be
    if gdal.GetDataTypeName(band.DataType) != expected or len(image) != len(case.ms):
        return f"{len(image)} bands of {gdal.GetDataTypeName(band.DataType)}"
    mark = band.GetNoDataValue()
    gaps = np.zeros(image.shape, bool) if mark is None else np.isnan(image) if np.isnan(mark) else image == mark
    if not np.isfinite(image[~gaps].astype(np.float64)).all():
        return "values that are not finite"
    if case.square is None:
        return ""
    return wrong_grid(case, image) or wrong_values(case, image, gaps)


def wrong_grid(case: Case, image: np.ndarray) -> str:
    """The size that pixel centres within MS give."""
    assert case.square is not None
    with_pan = gdal.Open(case.job.pan.path)
    sizes = []
    for start, count, limit in zip(case.square[:2], case.ms.shape[1:], (with_pan.RasterYSize, with_pan.RasterXSize),
                                   strict=True):  # fmt: skip
        centres = np.arange(limit) + 0.5
        sizes.append(int(((centres > start - 1e-3) & (centres < start + count * case.square[2] + 1e-3)).sum()))
    return "" if image.shape[1:] == tuple(sizes) else f"size {image.shape[1:]}, not {tuple(sizes)}"


def wrong_values(case: Case, image: np.ndarray, gaps: np.ndarray) -> str:
    """Gaps of MS are gaps of the result, and the means of bands agree."""
    top, left, ratio = case.square or (0, 0, 1.0)
    first = [max(int(np.ceil(s - 0.5 - 1e-3)), 0) for s in (top, left)]
    index = [
        np.clip(np.floor((np.arange(n) + f + 0.5 - s) / ratio), 0, m - 1).astype(int)
        for n, f, s, m in zip(image.shape[1:], first, (top, left), case.ms.shape[1:], strict=True)
    ]
    ms = case.ms[:, index[0]][:, :, index[1]].astype(np.float64)
    bad = ~np.isfinite(ms) | (np.abs(ms) >= 1e30)
    bad |= False if case.nodata is None else ms == case.nodata
    around = (bad[:, :-2, 1:-1], bad[:, 2:, 1:-1], bad[:, 1:-1, :-2], bad[:, 1:-1, 2:])
    steady = np.logical_and.reduce([bad[:, 1:-1, 1:-1], *around])  # rounding at edges
    if (steady & ~gaps[:, 1:-1, 1:-1]).any():
        return "a gap of MS holds values"
    if case.job.options.data_type or gaps.all():
        return ""
    for band, truth, hole, spoilt in zip(image, ms, gaps, bad, strict=True):
        inside = ~hole & ~spoilt
        if inside.any():
            apart = abs(float(band[inside].astype(np.float64).mean()) - truth[inside].mean())
            if apart > truth[inside].std() + 1.0 + 1e-3 * abs(truth[inside].mean()):
                return f"the mean of a band moved by {apart:.4g}"
    return ""
