from __future__ import annotations

import base64
import hashlib

from lvkit.batch.content_policy import content_policy


def directives(policy: str) -> dict[str, str]:
    return dict(part.split(" ", 1) for part in policy.split("; "))


def test_a_page_without_a_script_runs_and_loads_nothing() -> None:
    assert directives(content_policy()) == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_a_script_is_allowed_by_its_hash_alone() -> None:
    script = "alert('ä');\n"
    mark = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert directives(content_policy(script))["script-src"] == f"'sha256-{mark}'"
