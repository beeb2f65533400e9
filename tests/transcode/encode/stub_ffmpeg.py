"""Programs that misbehave as an ffmpeg may. Each is a Python text for `python -c`."""

from __future__ import annotations

import sys

HANGS = "import time; time.sleep(600)"
FAILS = "import sys; sys.stderr.write('[error] something broke\\n'); sys.exit(3)"
IGNORES_TERM = (
    "import signal, sys, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "print('frame=1'); print('progress=continue', flush=True)\n"
    "time.sleep(600)"
)
FLOODS = (
    "import sys\n"
    "for n in range(60000): sys.stderr.write(f'line {n} ' + 'x' * 200 + '\\n')\n"
    "print('frame=5'); print('progress=end')"
)
ENDLESS_LINE = (
    "import sys\nfor _ in range(400): sys.stderr.write('y' * 65536)\nprint('progress=end')"
)
CARRIAGE_RETURNS = "import sys; sys.stderr.write('one\\rtwo\\r\\nthree'); print('progress=end')"
HAS_A_CHILD = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
    "print(f'frame={child.pid}'); print('progress=continue', flush=True)\n"
    "time.sleep(600)"
)
SAYS_ITS_PID = (
    "import os, time\n"
    "print(f'frame={os.getpid()}'); print('progress=continue', flush=True)\n"
    "time.sleep(600)"
)
SAYS_ITS_NICENESS = "import os; print(f'frame={os.nice(0)}'); print('progress=end')"
SAYS_ITS_ENVIRONMENT = (
    "import os, sys\nsys.stderr.write(' '.join(sorted(os.environ)) + '\\n'); print('progress=end')"
)
WORKS_WITHOUT_END = "print('frame=1'); print('progress=continue')"


def argv(program: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", program]
