"""Python interpreters that start warm: forked from a process that has imported large libraries.

The plugin's tests start some four hundred interpreters, and each would spend a second on importing
scipy, or seven on torch. A warm one differs from any other in this alone: the libraries named were
imported before it began. It imports this project's modules and pytest's plugins itself, and has
its own arguments, environment, folder, streams and status.

``WarmPython(...)`` starts a server that imports; ``command`` stands where ``[sys.executable]``
would. The file is run by itself too, as the server and as the command: it imports no other.
"""

from __future__ import annotations

import json
import os
import socket
import sys

HERE = os.path.abspath(__file__)


class WarmPython:
    """A server of interpreters that have ``modules`` imported; ``close`` ends it.

    All of one server have one hash seed, so the order of a set in one is that in another: take two
    servers where two processes must not agree for that reason.
    """

    def __init__(self, *modules: str) -> None:
        self._server = None
        self.command = [sys.executable]
        if sys.platform != "linux":  # elsewhere a fork does not survive threads of libraries
            return
        import subprocess
        import tempfile

        # Short: the address of a socket has at most 107 bytes, which pytest's own folders exceed.
        self._folder = tempfile.TemporaryDirectory(prefix="warm-")
        address = os.path.join(self._folder.name, "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen(16)  # who comes while the server imports waits here
            arguments = [sys.executable, HERE, "--serve", str(listener.fileno()), *modules]
            self._server = subprocess.Popen(
                arguments, stdin=subprocess.PIPE, pass_fds=[listener.fileno()]
            )
        self.command = [sys.executable, "-IS", HERE, address]

    def close(self) -> None:
        if self._server is not None:
            self._server.communicate()  # its standard input ends, and so does it
            self._folder.cleanup()


def main(arguments: list[str]) -> None:
    if arguments[0] == "--serve":
        _serve(int(arguments[1]), arguments[2:])
    else:
        sys.exit(_ask(arguments[0], arguments[1:]))


def _ask(address: str, arguments: list[str]) -> int:
    """Have an interpreter forked that has this process's streams, and wait for its status."""
    request = {"arguments": arguments, "folder": os.getcwd(), "environment": dict(os.environ)}
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [b"."], [0, 1, 2])
        server.sendall(json.dumps(request).encode())
        server.shutdown(socket.SHUT_WR)
        for descriptor in (0, 1):  # or the other end would never see these close
            os.close(descriptor)
        status = server.recv(16)
    return int(status) if status else 1


def _serve(descriptor: int, modules: list[str]) -> None:
    import gc
    import importlib
    import select

    for name in modules:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or every fork's first collection would copy it all
    with socket.socket(fileno=descriptor) as listener:
        while True:
            watched: list[socket.socket | int] = [listener, 0]
            ready, _, _ = select.select(watched, [], [])
            _reap()
            if 0 in ready:  # whoever started this has ended
                return
            connection, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                return _answer(connection)
            connection.close()


def _reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:  # none left
        pass


def _answer(connection: socket.socket) -> None:
    _, streams, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("rb") as file:
        request = json.load(file)
    child = os.fork()
    if child:
        for descriptor in (0, 1, *streams):
            os.close(descriptor)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        try:
            connection.sendall(str(status).encode())
        finally:  # whoever asked may have been killed
            os._exit(0)
    connection.close()
    for descriptor, stream in enumerate(streams):
        os.dup2(stream, descriptor)
        os.close(stream)
    os.chdir(request["folder"])
    known = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    os.environ.clear()
    os.environ.update(request["environment"])
    extra = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p not in known]
    sys.path[:1] = extra  # in the place of the folder of this file
    _run([a for a in request["arguments"] if a != "-u"])


def _run(arguments: list[str]) -> None:
    """As ``python ARGUMENTS``, which are ``-c CODE …`` or ``-mMODULE …``."""
    import runpy
    import types

    if arguments[0] == "-c":
        sys.argv = ["-c", *arguments[2:]]
        sys.path.insert(0, "")
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(arguments[1], main.__dict__)
    else:
        sys.argv = arguments
        sys.path.insert(0, os.getcwd())
        runpy.run_module(arguments[0].removeprefix("-m"), run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
