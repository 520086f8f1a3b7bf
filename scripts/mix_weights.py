"""Write the mean of two sets of weights of one network: python scripts/mix_weights.py FIRST SECOND SHARE OUTPUT.

SHARE, in [0, 1], is that of SECOND; the header is that of FIRST.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from otfm_pansharpen.model.network.weights import load_weights, save_weights

if __name__ == "__main__":
    first, second = (load_weights(Path(path)) for path in sys.argv[1:3])
    with torch.no_grad():
        for mine, other in zip(first.network.parameters(), second.network.parameters()):
            mine.lerp_(other, float(sys.argv[3]))
    header = {k: v for k, v in first.header.items() if k not in ("format", "network", "tensors_sha256")}
    save_weights(first.network, Path(sys.argv[4]), header)
