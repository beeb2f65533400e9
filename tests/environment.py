"""Loaded by pytest before Django's settings: every test run has a data directory of its own."""

import atexit
import os
import pathlib
import shutil
import signal
import tempfile

_DATA_DIR = tempfile.mkdtemp(prefix="mediaflow-test-")
(pathlib.Path(_DATA_DIR) / "static").mkdir()  # WhiteNoise warns about a missing one
atexit.register(shutil.rmtree, _DATA_DIR, ignore_errors=True)

# A shell that starts the suite in the background lets it ignore Ctrl-C, and so would every process
# that a test starts: those that are interrupted would go on.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

for _name in [name for name in os.environ if name.startswith("MEDIAFLOW_")]:
    if _name not in {"MEDIAFLOW_TEST_SERVICES", "MEDIAFLOW_DATABASE_URL"}:
        del os.environ[_name]
os.environ["MEDIAFLOW_DATA_DIR"] = _DATA_DIR
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
