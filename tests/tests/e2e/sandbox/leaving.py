# Lets a process make off: out of its group, its session and its family, with nothing of its own open but a connection.
import json
import os
import signal
import socket
import sys
import time

given = json.load(sys.stdin)
if given["stays"] == "stops":
    # Whoever keeps it is not to look after it.
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(given["socket"])
    os.kill(os.getppid(), signal.SIGSTOP)
    connection.sendall(b"here")
    while True:
        os.kill(os.getppid(), signal.SIGSTOP)
if given["stays"] == "stopped":
    os.kill(os.getppid(), signal.SIGSTOP)
told, tell = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(given["socket"])
        connection.sendall(b"here")
        os.write(tell, b".")
        for number in (0, 1, 2):
            os.close(number)
        time.sleep(600)
    os._exit(0)
os.wait()
os.read(told, 1)
if given["stays"]:
    time.sleep(600)
print("{}")
