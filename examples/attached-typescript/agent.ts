// An agent that thinks for a moment, one thought at a time, and says which process did.

import { setTimeout as after } from "node:timers/promises";
import { Agent } from "realm-sdk";

interface Thought {
  about: string;
}

const agent = new Agent("thinker", { concurrency: 1, onAttached: () => console.log("attached") });

agent.loop(
  {
    id: "think",
    version: "1.0.0",
    description: "Thinks about something for a moment.",
    effects: "idempotent",
    inputSchema: { type: "object", properties: { about: { type: "string" } }, required: ["about"] },
    outputSchema: { type: "object", required: ["thought", "by"] },
  },
  async ({ about }: Thought, call) => {
    for (const part of ["a third", "two thirds"]) {
      call.progress({ done: part });
      await after(200, undefined, { signal: call.signal });
    }
    return { thought: `${about} is worth a thought`, by: process.pid };
  },
);

process.once("SIGTERM", () => agent.leave());
await agent.serve();
