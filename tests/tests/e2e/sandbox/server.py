"""A server of the Model Context Protocol whose one tool reads the file that it is told."""

import json
import sys

PEEK = {
    "name": "peek",
    "description": "Reads a file.",
    "inputSchema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
}


def answer(method, params):
    if method == "initialize":
        return {
            "protocolVersion": params["protocolVersion"],
            "capabilities": {"tools": {}},
            "serverInfo": {"name": "peek", "version": "1"},
        }
    if method == "tools/list":
        return {"tools": [PEEK]}
    try:
        with open(params["arguments"]["path"]) as file:
            text = file.read()
    except OSError as error:
        text = type(error).__name__
    return {"content": [{"type": "text", "text": text}]}


for line in sys.stdin:
    request = json.loads(line)
    if "id" in request:
        result = answer(request["method"], request.get("params", {}))
        print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
