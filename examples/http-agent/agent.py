"""Counts the words of a text: POST {"text": …}, answered {"words": …, "longest": …}."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Agent(BaseHTTPRequestHandler):
    def do_POST(self):
        # The realm has checked the input against the loop's schema already.
        call = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        words = call["text"].split()
        answer = {"words": len(words), "longest": max(words, key=len, default="")}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


port = int(sys.argv[1]) if len(sys.argv) > 1 else 7431
with ThreadingHTTPServer(("127.0.0.1", port), Agent) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
