# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Killed at any point, the next call brings files and rows into agreement; benchmarks/ has the larger measurement."""

from __future__ import annotations
