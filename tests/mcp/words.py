"""An agent that says three words, one after the other, and then its answer. Its port is the first line printed."""

import json
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Agent(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        for word in ("one ", "two ", "three"):
            self.say({"type": "part", "text": word})
            # As long as the suite asks for, so that no two words travel as one.
            time.sleep(0.05)
        self.say({"type": "output", "output": "one two three"})

    def say(self, message):
        self.wfile.write(f"data: {json.dumps(message)}\n\n".encode())
        self.wfile.flush()

    def log_message(self, *_):
        pass


with ThreadingHTTPServer(("127.0.0.1", 0), Agent) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
