"""The choices that a user has, as plain data: what dialogs and scripts offer. Nothing heavy is imported here."""

from __future__ import annotations

from pathlib import Path

_WEIGHTS = Path(__file__).resolve().parents[1] / "resources" / "weights"

BUNDLED = {name: _WEIGHTS / f"{name}.safetensors" for name in ("fast", "best")}
DEFAULT_SET = "fast"
TUNED = "tuned"  # a quality: a bundled set is tuned on the scene itself first,
TUNED_FROM = "best"  # this one
FORMS = ("analysis", "printing", "cloud")  # of the output: values as MS, a picture of 8 bits, cloud-optimised
DEVICES = ("auto", "cuda", "cpu")
PRECISIONS = ("auto", "fp32", "bf16")
ALIGNMENTS = ("auto", "scene", "off")  # bands and places, one shift, nothing
PRODUCT_BANDS = ("all", "colour and NIR", "natural colour")
DATA_TYPES = ("Byte", "Int8", "UInt16", "Int16", "UInt32", "Int32", "Float32", "Float64")  # GDAL's names
MAX_BUDGET, SHARE_OF_MACHINE = 2048, 0.25  # of memory for tiles: MB, and share of the machine's
FIXED_PART = 600  # MB that torch and GDAL take themselves
