// Goes through the contract that every client keeps: contract.js FILE, with REALM_HOME, CONTRACT_URL and CONTRACT_TOKEN set.

import { readFile } from "node:fs/promises";
import { isDeepStrictEqual } from "node:util";
import { Agent, CallFailed, complete, Failure, proceed, Realm, RealmError, type Definition, type Handler } from "./index.js";

interface Case {
  name: string;
  do: string;
  as?: "agent";
  loop: string;
  input: unknown;
  after?: number;
  key?: string;
  says?: Array<{ question: string; granted: boolean; reason: string }>;
  expect: Record<string, unknown>;
}

interface Contract {
  loops: Definition[];
  agent: { name: string; concurrency: number; loops: Array<{ definition: Definition; offers?: string }> };
  cases: Case[];
}

let cancelled: () => void;
const wasCancelled = new Promise<void>((resolve) => (cancelled = resolve));

const handlers: Record<string, Handler> = {
  "contract.double": ({ n }: { n: number }, call) => {
    call.progress({ half: true });
    return { n: 2 * n };
  },
  "contract.refuse": ({ message }: { message: string }) => {
    throw new Failure(message, "business");
  },
  "contract.break": () => {
    throw new Error("broken");
  },
  "contract.wrong": () => 7,
  "contract.hang": (_, call) => {
    call.progress("begun");
    return new Promise((_, reject) => {
      call.signal.addEventListener("abort", () => {
        cancelled();
        reject(new Error("cancelled"));
      });
    });
  },
  "contract.step": ({ n, to }: { n: number; to: number }) => (n < to ? proceed({ n: n + 1, to }) : complete({ n })),
  "contract.keep": ({ name, keep, forget }: { name: string; keep?: string; forget?: boolean }, call) => {
    const key = `keeps/${name}`;
    if (forget) delete call.state[key];
    if (keep !== undefined) call.state[key] = keep;
    return key in call.state ? { kept: call.state[key] } : {};
  },
  "contract.ask": ({ questions }: { questions: string[] }, call) => {
    const answers = questions.map((question, n) => call.ask(question, { n }));
    return { granted: answers.map((answer) => answer.granted), reasons: answers.map((answer) => answer.reason) };
  },
  "contract.tell": ({ text }: { text: string }, call) => {
    for (const word of text.split(" ")) call.write(`${word} `);
    return { text };
  },
  "contract.worth": ({ article }: { article: string }) => ({ worth: article.length }),
  "contract.decline": () => ({ worth: 0 }),
};

const offers: Record<string, (work: unknown) => unknown> = {
  "contract.worth": () => ({ time: "1s", confidence: 0.9 }),
  "contract.decline": () => undefined,
};

function check(seen: unknown, wanted: unknown, what: string): void {
  if (!isDeepStrictEqual(seen, wanted)) {
    throw new Error(`${what}: ${JSON.stringify(seen)}, not ${JSON.stringify(wanted)}`);
  }
}

/** Compares an output or an error with what is expected. */
function judge(outcome: unknown, expect: Record<string, unknown>): void {
  if (outcome instanceof CallFailed) {
    check(outcome.code, expect["error"], "error");
    const part = String(expect["message"] ?? "");
    if (!outcome.error.message.includes(part)) throw new Error(`message: ${outcome.error.message}`);
  } else if (outcome instanceof RealmError) {
    check(outcome.code, expect["refused"], "refusal");
  } else if (outcome instanceof Error) {
    throw outcome;
  } else {
    check(outcome, expect["output"], "output");
  }
}

const doings: Record<string, (realm: Realm, one: Case) => Promise<void>> = {
  async invoke(own, { as, loop, input, expect }) {
    const { CONTRACT_URL: url = "", CONTRACT_TOKEN: token = "" } = process.env;
    const realm = as === "agent" ? new Realm({ url, token }) : own;
    judge(await realm.invoke(loop, input).catch((error: unknown) => error), expect);
    if (realm !== own) await realm.close();
  },
  async events(realm, { loop, input, expect }) {
    const types: unknown[] = [];
    let last;
    for await (const event of realm.events(await realm.start(loop, input))) {
      types.push("type" in event.data ? event.data.type : undefined);
      last = event;
    }
    let at = -1;
    for (const wanted of expect["types"] as string[]) {
      at = types.indexOf(wanted, at + 1);
      if (at < 0) throw new Error(`no ${wanted} in its place in ${types}`);
    }
    if (last?.kind !== "end") throw new Error(`the last event is ${last?.kind}`);
    check(last.data.output, expect["output"], "output");
  },
  async stream(realm, { loop, input, expect }) {
    let text = "";
    let last;
    for await (const event of realm.stream(loop, input)) {
      if (event.kind === "part") text += event.data.text;
      last = event;
    }
    check(text, expect["text"], "text");
    if (last?.kind !== "end") throw new Error(`the last event is ${last?.kind}`);
    check(last.data.output, expect["output"], "output");
  },
  async ask(realm, { loop, input, says = [], expect }) {
    const run = await realm.start(loop, input);
    let said = 0;
    for await (const event of realm.events(run)) {
      if (event.kind === "end") check(event.data.output, expect["output"], "output");
      else if (event.data.type === "approval.requested") {
        const [waiting] = (await realm.getApprovals({ run })).items;
        const say = says[said++];
        if (!waiting || !say) throw new Error("nobody waits, or nothing is to be said");
        check((waiting.input as { question: string }).question, say.question, "question");
        const decide = say.granted ? realm.postApprovalsIdApprove : realm.postApprovalsIdDeny;
        await decide.call(realm, waiting.id, { reason: say.reason });
      }
    }
  },
  async resume(realm, { loop, input, after, expect }) {
    const run = await realm.start(loop, input);
    await realm.wait(run);
    for await (const event of realm.events(run, after)) {
      check(event.index, expect["first"], "index");
      break;
    }
  },
  async again(realm, { loop, input, key = "", expect }) {
    const first = await realm.call(loop, input, { idempotencyKey: key });
    const second = await realm.call(loop, input, { idempotencyKey: key });
    check(first.callId === second.callId, expect["same"], "same call");
  },
  async cancel(realm, { loop, input, expect }) {
    const run = await realm.start(loop, input);
    for await (const event of realm.events(run)) {
      if (event.kind === "trace" && event.data.type === "log") await realm.postRunsIdCancel(run, {});
    }
    check((await realm.getRunsId(run)).status, expect["status"], "status");
    await wasCancelled;
  },
  async claim(_, { loop, expect }) {
    const thief = new Agent("thief").loop(loop, (input) => input);
    judge(await thief.serve().catch((error: unknown) => error), expect);
  },
  async info(realm) {
    check("realm" in (await realm.getStatus()), true, "realm in status");
  },
};

const contract = JSON.parse(await readFile(process.argv[2] ?? "", "utf8")) as Contract;
const { name, concurrency, loops } = contract.agent;
const realm = new Realm();
let attached: () => void;
const isAttached = new Promise<void>((resolve) => (attached = resolve));
const agent = new Agent(name, { concurrency, onAttached: () => attached() });
for (const { definition, offers: bids } of loops) {
  const handler = handlers[definition.id];
  if (!handler) throw new Error(`no handler for ${definition.id}`);
  const offer = offers[definition.id];
  if (bids && offer) agent.bid(definition, offer, handler);
  else agent.loop(definition, handler);
}
const serving = agent.serve();
await Promise.race([isAttached, serving]);
await realm.postApply({ files: contract.loops.map((loop) => ({ name: `/${loop.id}.json`, text: JSON.stringify(loop) })) });
let failed = 0;
for (const one of contract.cases) {
  try {
    const doing = doings[one.do];
    if (!doing) throw new Error(`nobody can ${one.do}`);
    await doing(realm, one);
    console.log(`ok      ${one.name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${one.name}: ${error}`);
  }
}
agent.leave();
await serving;
await realm.close();
console.log(`${contract.cases.length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
