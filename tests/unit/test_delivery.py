"""What is sent to a host."""

from __future__ import annotations

import io
import tarfile
import time

from paisctl.execution.delivery import _archive


def test_files_are_dated_by_their_delivery() -> None:
    before = int(time.time())
    with tarfile.open(fileobj=io.BytesIO(_archive({"run.sh": b"x"}))) as archive:
        assert before <= archive.getmember("run.sh").mtime <= time.time()
