# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Random stories of migrations that are rolled back and deployed again, and a model that says how they must end.

Nothing here knows how the salvage works: what is expected follows from the merge rule (rule.py) and from what each
migration means (a pair of functions on records in memory).
"""
