# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Migrations as people write them, good and careless, each with the verdict that is right.

They stand in ``strangers/migrations``, one file a story. What is right was written down by what PostgreSQL does, not by
running the code; where the two differed, one of them was corrected.
"""
