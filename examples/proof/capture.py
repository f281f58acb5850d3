"""Writes every byte that passes an interface to a file, until it is ended: capture.py FILE"""

import signal
import socket
import sys

ALL_PROTOCOLS = 0x0003

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
taken = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ALL_PROTOCOLS))
with open(sys.argv[1], "wb", buffering=0) as file:
    print("capturing", flush=True)
    while True:
        file.write(taken.recv(1 << 16))
