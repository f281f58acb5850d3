"""A model that knows three words, behind the API that most servers of models speak.

POST /v1/chat/completions, for whoever shows the key; stands in for Ollama, vLLM or a provider.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TOPICS = {"invoice": "billing", "password": "access", "crash": "fault"}


class Model(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.headers["Authorization"] != "Bearer open-sesame":
            return self.answer(401, {"error": {"message": "the key is wrong"}})
        prompt = asked["messages"][-1]["content"]
        topics = [topic for word, topic in TOPICS.items() if word in prompt]
        content = json.dumps({"topic": topics[0] if topics else "other"})
        if asked.get("stream"):
            return self.write(content)
        self.answer(200, {
            "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": "stop",
                         "message": {"role": "assistant", "content": content}}],
            "usage": {"prompt_tokens": len(prompt.split()), "completion_tokens": 4},
        })

    def write(self, content):
        """Answers a few letters at a time."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        deltas = [{"content": content[at:at + 4]} for at in range(0, len(content), 4)]
        choices = [{"delta": delta, "finish_reason": None} for delta in deltas]
        choices.append({"delta": {}, "finish_reason": "stop"})
        for choice in choices:
            self.wfile.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
            self.wfile.flush()
        self.wfile.write(b"data: [DONE]\n\n")

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


with ThreadingHTTPServer(("127.0.0.1", 0), Model) as server:
    print(server.server_port, flush=True)
    server.serve_forever()
