"""The content security policy of lvkit's pages: what a browser lets a page load and run.

A page shows names from data and, in a notebook of the user's, any HTML. Names are escaped; should
one slip through, the browser still loads nothing from elsewhere, sends nothing away and runs no
script but lvkit's own, which it knows by their hashes.
"""

from __future__ import annotations

import base64
import hashlib

# Pictures are in the page; style sheets and the style attributes that pandas writes are inline.
_NEEDED = ("default-src 'none'", "img-src data:", "style-src 'unsafe-inline'")
_FORBIDDEN = ("base-uri 'none'", "form-action 'none'")


def content_policy(script: str = "") -> str:
    """Return the policy of a page, for its ``<meta http-equiv="Content-Security-Policy">``.

    Parameters
    ----------
    script : str
        The text of the page's only script, exactly as it stands there; empty for a page without.

    Returns
    -------
    str

    Examples
    --------
    >>> content_policy().split("; ")[0]
    "default-src 'none'"
    """
    mark = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    scripts = (f"script-src 'sha256-{mark}'",) if script else ()
    return "; ".join((*_NEEDED, *scripts, *_FORBIDDEN))
