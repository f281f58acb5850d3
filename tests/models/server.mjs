// A published server of models' wire formats, as a process of a test: `server.mjs FOLDER`, where FOLDER has its package in
// node_modules. It has no model: what it answers to which prompt stands here. Prints its address, and ends with its input.

import { createRequire } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const packages = createRequire(join(process.argv[2], "package.json"));
const { LLMock } = await import(pathToFileURL(packages.resolve("@copilotkit/aimock")));

const sorted = JSON.stringify({ category: "billing" });
const seven = JSON.stringify({ n: 7 });
const server = new LLMock({ port: 0, chunkSize: 4, strict: true, logLevel: "silent" });
server.addFixtures([
  { match: { userMessage: "greet" }, response: { content: "Good day to all of you." } },
  // Where a form is asked for as a tool.
  { match: { userMessage: "sort", toolName: "realm-output" }, response: { toolCalls: [{ name: "realm-output", arguments: sorted }] } },
  { match: { userMessage: "sort" }, response: { content: sorted } },
  { match: { userMessage: "look", hasToolResult: false }, response: { toolCalls: [{ name: "look", arguments: seven }] } },
  { match: { userMessage: "look", toolResultContains: "7" }, response: { content: "I have seen seven." } },
  { match: { userMessage: "hurry" }, response: { error: { message: "not so fast", type: "rate_limit_error" }, status: 429 } },
]);
await server.start();
console.log(server.url);
process.stdin.on("end", () => process.exit()).resume();
