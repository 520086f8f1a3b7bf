"""The workflows and issue forms: pinned actions, least permissions, every algorithm named."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from otfm_pansharpen.algorithms.provider import ALGORITHMS

GITHUB = Path(__file__).resolve().parents[1] / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_actions_are_pinned_by_commit(file):
    used = re.findall(r"^ *- uses: (\S+)(.*)$", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert used
    unpinned = [u for u in used if not (re.search(r"@[0-9a-f]{40}$", u[0]) and re.fullmatch(r" # v[\d.]+", u[1]))]
    assert unpinned == []


@pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.stem)
def test_workflows_may_only_read_by_default(file):
    assert "\npermissions:\n  contents: read\n\n" in file.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", ["bug", "feature"])
def test_issue_form_names_every_algorithm(form):
    text = (GITHUB / "ISSUE_TEMPLATE" / f"{form}.yml").read_text(encoding="utf-8")
    assert [a.identifier for a in ALGORITHMS if f"(otfm:{a.identifier})" not in text] == []
    assert "qgis_process run otfm:setup -- ACTION=check" in text
