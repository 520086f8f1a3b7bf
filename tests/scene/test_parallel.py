"""Parts of the measuring run in parallel, with the result of one after the other."""

from __future__ import annotations

import time

import pytest
from otfm_pansharpen.model.errors import CancelledError
from otfm_pansharpen.model.scene.parallel import parallel_map


@pytest.mark.promise(9)
def test_a_cancel_in_one_part_ends_them_all():
    begun = []

    def part(number):
        begun.append(number)
        time.sleep(0.02)
        raise CancelledError

    with pytest.raises(CancelledError):
        parallel_map(part, range(200))
    assert len(begun) < 200
