"""One of several processes that train together: python ddp_worker.py FOLDER, in the environment that torchrun sets.

Writes its weights and the patches of its last step to FOLDER/RANK.npy.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from helpers.training import run, silent, weights
from otfm_pansharpen.model.training.dataset import read_sources

folder = Path(sys.argv[1])
torch.set_num_threads(1)
torch.distributed.init_process_group("gloo")
trained = run(read_sources(folder / "scenes.safetensors"))
trained.train(16, silent)
patches = trained.buffer.batch(3, 32, 15).lms
np.save(folder / f"{trained.rank}.npy", torch.cat([weights(trained), patches.flatten()]).detach().numpy())
torch.distributed.barrier()
torch.distributed.destroy_process_group()
os._exit(0)  # threads of gloo that outlive it abort an orderly end now and then
