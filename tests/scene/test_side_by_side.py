"""Parts of the measuring run side by side, with the result of one after the other."""

from __future__ import annotations

import pytest
import torch
from otfm_pansharpen.model.errors import CancelledError
from otfm_pansharpen.model.scene import side_by_side as module
from otfm_pansharpen.model.scene.side_by_side import side_by_side


@pytest.mark.promise(4)
def test_every_part_runs_on_one_thread_of_torch_and_keeps_its_place(monkeypatch):
    monkeypatch.setattr(module, "CORES", 3)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert side_by_side(lambda n: (n, torch.get_num_threads()), range(5)) == [(n, 1) for n in range(5)]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.promise(9)
def test_a_cancel_in_one_part_ends_them_all(monkeypatch):
    monkeypatch.setattr(module, "CORES", 1)
    begun = []

    def part(number):
        begun.append(number)
        raise CancelledError

    with pytest.raises(CancelledError):
        side_by_side(part, range(100_000))
    assert len(begun) < 100_000
