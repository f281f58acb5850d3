// A server of the Model Context Protocol over HTTP, for suites that speak nothing else: every session is a
// process of its own that speaks on standard input and output, and each message goes to it and back as it is.
//
//   node bridge.mjs MODULES PROGRAM [ARGUMENT...]
//
// MODULES is the folder that the published SDK is installed in. The address is the first line that is printed.

import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { createRequire } from "node:module";

const [modules, program, ...args] = process.argv.slice(2);
const sdk = createRequire(`${modules}/`);
const { StdioClientTransport } = sdk("@modelcontextprotocol/sdk/client/stdio.js");
const { StreamableHTTPServerTransport } = sdk("@modelcontextprotocol/sdk/server/streamableHttp.js");

const sessions = new Map();

async function begin(hosts) {
  const http = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => sessions.set(id, http),
    enableDnsRebindingProtection: true,
    allowedHosts: hosts,
  });
  const stdio = new StdioClientTransport({ command: program, args, env: process.env });
  // What a notification of progress belongs to: the stream of that request.
  const requests = new Map();
  http.onmessage = (message) => {
    const token = message.params?._meta?.progressToken;
    if (token !== undefined) {
      requests.set(token, message.id);
    }
    stdio.send(message);
  };
  stdio.onmessage = (message) => {
    const relatedRequestId = requests.get(message.params?.progressToken);
    http.send(message, { relatedRequestId });
  };
  http.onclose = () => {
    sessions.delete(http.sessionId);
    stdio.close();
  };
  stdio.onclose = () => http.close();
  await stdio.start();
  await http.start();
  return http;
}

const server = createServer(async (request, response) => {
  const { port } = server.address();
  const known = sessions.get(request.headers["mcp-session-id"]);
  const http = known ?? (await begin([`127.0.0.1:${port}`, `localhost:${port}`]));
  await http.handleRequest(request, response);
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
