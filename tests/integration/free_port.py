# SPDX-License-Identifier: MIT
"""A port of the kernel's choice, for a program that binds it later: a connection of it is left in TIME_WAIT, so that for a minute nobody
else is given it, and whoever binds it with SO_REUSEADDR, as servers do, may. Use: free_port.py prints one."""
import socket


def free_port():
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        with socket.create_connection(listener.getsockname()) as client:
            accepted, _ = listener.accept()
            # Who closes first is left in TIME_WAIT.
            accepted.close()
            client.recv(1)
        return listener.getsockname()[1]


if __name__ == "__main__":
    print(free_port())
