"""Lets Python import our collection beside those that the `ansible` package brings.

Ansible itself does not need this file: its own loader finds collections by
`collections_path`. Tests and documentation tools import with plain Python,
where a regular package would otherwise hide the second folder of the name.
"""

from pkgutil import extend_path

__path__ = extend_path(__path__, __name__)
