# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Playbooks that something happens to, and a judge who asks PostgreSQL itself whether every word of theirs is true.

Nothing here imports the runbook: what is true is told by pg_dump, COPY, the server's catalogs and the disk.
"""
