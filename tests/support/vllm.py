"""A real vLLM, which lives in an environment of its own: VALUEBIAS_VLLM names its command.

with vllm(EXECUTABLE, folder, log) as server:
    server.url, server.processor_seconds()
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

EXECUTABLE = os.environ.get("VALUEBIAS_VLLM") or shutil.which("vllm")
START_SECONDS = 600.0
STOP_SECONDS = 30.0

# The server in the foreground; beside it whatever waits for the end of our pipe, and then ends the
# group. So the server goes when this process does, however that ends.
_TOGETHER = 'exec 3<&0; { cat <&3 >/dev/null; kill -TERM 0; } & exec "$@" 3<&- </dev/null'
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class RealServer:
    url: str
    group: int

    def processor_seconds(self) -> float:
        """Of all of the server's processes together, since they began (Linux)."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.group:
                    ticks += sum(map(int, fields[11:15]))  # its own and its reaped children's
        return ticks / _TICKS


@contextmanager
def vllm(executable: str, folder: Path, log: Path, *options: str) -> Iterator[RealServer]:
    """Serve a reward model's folder as ``reward-model`` in float32, on one thread, until the block
    ends. Raises RuntimeError, with the end of its log, if it does not start."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        executable, "serve", str(folder), "--served-model-name", "reward-model",
        "--runner", "pooling", "--dtype", "float32", "--enforce-eager",
        "--host", "127.0.0.1", "--port", str(port), *options,
    ]  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_CPU_OMP_THREADS_BIND": "nobind",
        "VLLM_NO_USAGE_STATS": "1",
    }
    with log.open("wb") as output:
        server = subprocess.Popen(
            ["sh", "-c", _TOGETHER, "sh", *command], env=environment, start_new_session=True,
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(server, url, log)
        yield RealServer(url, server.pid)
    finally:
        assert server.stdin is not None
        server.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            server.wait(STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Until it answers. No proxy of the environment is asked."""
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and server.poll() is None:
        with suppress(urllib.error.URLError, OSError):
            ask.open(f"{url}/health", timeout=5).close()
            return
        time.sleep(0.5)
    ended = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"vLLM did not start: {' '.join(server.args)}\n{ended}")  # type: ignore[arg-type]
