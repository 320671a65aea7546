"""A Dask cluster: reached, refused with the reason, and as good as here."""

from __future__ import annotations

import pytest

import lvkit as lv
from lvkit.cluster import dask_cluster


@pytest.mark.parametrize("address", ["", "nonsense", "tcp://127.0.0.1:9", "http://127.0.0.1:9"])
def test_an_address_where_no_scheduler_answers_is_refused(address: str) -> None:
    with pytest.raises(lv.LvkitError, match="scheduler"), dask_cluster(address):
        pass
