# Copyright: The pgops runbook authors
# GNU General Public License v3.0 or later (https://www.gnu.org/licenses/gpl-3.0.txt)
"""Other releases of PostgreSQL: their programs, and the main chain on a shop of its own."""
