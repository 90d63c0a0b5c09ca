"""Tests and docstring examples never touch the user's feature store, and share the cores."""

import os
import tempfile

os.environ["PLAIT_CACHE"] = tempfile.mkdtemp(prefix="plait-tests-")
if "PYTEST_XDIST_WORKER" in os.environ:  # one core each: threads of two workers that wait for each other halve both
    os.environ.setdefault("OMP_NUM_THREADS", "1")
