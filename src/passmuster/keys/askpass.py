"""What ssh-keygen runs to ask: it passes the question to the muster that waits, and the answer on.

Run as a file of its own (`python -I -S askpass.py SOCKET PROMPT`) and imports nothing of ours, so
that it starts at once. The secret goes through a socket in a private folder: never into an
argument, the environment or a file.
"""

import os
import socket
import sys


def main() -> int:
    """Ask by the socket; 0 with the answer on stdout, 1 where there is none."""
    where, prompt = sys.argv[1], " ".join(sys.argv[2:])
    kind = os.environ.get("SSH_ASKPASS_PROMPT", "")
    with socket.socket(socket.AF_UNIX) as door:
        door.connect(where)
        door.sendall(f"{kind}\n{prompt}".encode(errors="surrogateescape"))
        door.shutdown(socket.SHUT_WR)
        answer = b""
        while piece := door.recv(4096):
            answer += piece
    if not answer:
        return 1
    sys.stdout.buffer.write(answer[1:] + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
