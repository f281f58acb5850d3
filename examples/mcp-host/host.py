"""A host of the Model Context Protocol, as small as one can be: starts a server, and uses its tools.

usage: host.py COMMAND…
"""

import json
import subprocess
import sys


class Server:
    def __init__(self, command):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self.process = subprocess.Popen(command, text=True, **pipes)
        self.asked = 0
        self.ask("initialize", {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "example", "version": "1"},
        })
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})

    def say(self, message):
        self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def ask(self, method, params):
        self.asked += 1
        self.say({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params})
        for line in self.process.stdout:
            answer = json.loads(line)
            if answer.get("id") == self.asked:
                return answer["result"]
        sys.exit("the server hung up")


server = Server(sys.argv[1:])
tools = server.ask("tools/list", {})["tools"]
for tool in tools:
    print("tool:", tool["name"], "-", tool["description"])

assert [tool["name"] for tool in tools] == ["count-words_lab"], "what was not chosen is no tool"

right = server.ask("tools/call", {"name": "count-words_lab", "arguments": {"text": "one two three"}})
print("answer:", json.dumps(right["structuredContent"]))
wrong = server.ask("tools/call", {"name": "count-words_lab", "arguments": {}})
print("refused:", wrong["content"][0]["text"].splitlines()[0])
assert right["structuredContent"]["words"] == 3 and not right.get("isError")
assert wrong["isError"]

server.process.stdin.close()
sys.exit(server.process.wait())
