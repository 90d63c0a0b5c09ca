"""Tests and docstring examples never touch the user's feature store."""

import os
import tempfile

os.environ["PLAIT_CACHE"] = tempfile.mkdtemp(prefix="plait-tests-")
