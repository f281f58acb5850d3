// Serving loops from inside: an agent that attaches to its realm.

import { WebSocket } from "undici";
import type { AgentMessage, RealmMessage, RealmMessageCall } from "./api.js";
import { Failure, RealmError } from "./errors.js";
import { Place, type PlaceOptions } from "./place.js";

/** A loop's definition in Realm's own form; `kind` and `tool` may be left out. */
export type Definition = { id: string } & Record<string, unknown>;

/** Takes a call's input and gives its output. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type Handler = (input: any, call: Call) => unknown;

/** What a machine's step gives to be called again, with this state. */
export const proceed = (state: unknown): { continue: unknown } => ({ continue: state });
/** What a machine's last step gives. */
export const complete = (output: unknown): { complete: unknown } => ({ complete: output });

/** What people have said to a question. */
export interface Answer {
  granted: boolean;
  people: string[];
  reason?: string;
}

/** Ends a handler that asks people; it begins anew once they have answered. */
class Asks {
  constructor(readonly said: { question: string; about?: unknown }) {}
}

/** One piece of work. */
export class Call {
  readonly loop: string;
  readonly version: string;
  /** The same in every attempt at the same work. */
  readonly key: string;
  readonly timeoutMs: number;
  /** Whether somebody wants to see what the output is being made of. */
  readonly streamed: boolean;
  /**
   * What the agent keeps under the keys that the loop names. What is put in, changed or deleted is kept with
   * the output, or not at all.
   */
  readonly state: Record<string, unknown> = {};
  private readonly was: Record<string, string> = {};
  private readonly keeps: boolean;
  private readonly number: number;
  private readonly answers: Array<Answer & { question: string }>;
  private asked = 0;

  constructor(
    message: RealmMessageCall,
    /** Aborted once nobody waits for the answer any more. */
    readonly signal: AbortSignal,
    private readonly say: (said: AgentMessage) => void,
  ) {
    this.loop = message.loop;
    this.version = message.version;
    this.key = message.key;
    this.timeoutMs = message.timeoutMs;
    this.streamed = message.stream ?? false;
    this.number = message.call;
    this.answers = (message.answers ?? []) as Array<Answer & { question: string }>;
    this.keeps = message.state != null;
    for (const [key, held] of Object.entries(message.state ?? {})) {
      if (held === null) continue;
      this.state[key] = (held as { value: unknown }).value;
      this.was[key] = JSON.stringify(this.state[key]);
    }
  }

  /**
   * Asks people, and gives what they have said. Where they have said nothing yet the handler ends here, the run
   * waits, over restarts, and the handler begins anew: it asks the same questions in the same order, and what it
   * does before them it does again. What is thrown must not be caught. The loop's `asks` says whom it may ask.
   */
  ask(question: string, about?: unknown): Answer {
    const told = this.answers[this.asked];
    if (!told) throw new Asks({ question, ...(about === undefined ? {} : { about }) });
    if (told.question !== question) throw new Error(`it asked "${told.question}" before, and asks "${question}" now`);
    this.asked += 1;
    return told;
  }

  /** Shows what comes next of the text that the output is being made of, if somebody wants to see it. */
  write(text: string): void {
    if (this.streamed) this.say({ type: "part", call: this.number, text });
  }

  /** Says how it goes. */
  progress(progress: unknown): void {
    this.say({ type: "progress", call: this.number, progress });
  }

  /** What was changed of its state; nothing where the loop keeps none. */
  changes(): { state?: Record<string, unknown> } {
    const state: Record<string, unknown> = {};
    for (const key of Object.keys(this.was)) if (this.state[key] === undefined) state[key] = null;
    for (const [key, value] of Object.entries(this.state)) {
      if (value !== undefined && JSON.stringify(value) !== this.was[key]) state[key] = { value };
    }
    return this.keeps || Object.keys(state).length > 0 ? { state } : {};
  }
}

/** How an agent attaches. */
export interface AgentOptions extends PlaceOptions {
  /** Calls at once; 8 unless told. */
  concurrency?: number;
  /** Told each time that it is attached. */
  onAttached?: () => void;
}

/**
 * An agent: a name, and handlers for loops. `Failure` ends a call as it says, anything else that is thrown
 * as unknown. The connection is made anew whenever it breaks.
 */
export class Agent {
  private readonly place: Place;
  private readonly loops: Array<string | Definition> = [];
  private readonly handlers = new Map<string, Handler>();
  private socket: WebSocket | undefined;
  private leaving = false;
  private wake: () => void = () => {};

  constructor(
    readonly name: string,
    private readonly options: AgentOptions = {},
  ) {
    this.place = new Place(options);
  }

  /** Serves a loop: the id of a registered one, or a definition, which is registered. */
  loop(definition: string | Definition, handler: Handler): this {
    this.loops.push(definition);
    this.handlers.set(typeof definition === "string" ? definition : definition.id, handler);
    return this;
  }

  /**
   * Serves a loop that does announced work. `offer` is asked first: it takes what is known of the work, and gives the
   * terms, such as `{ price: "EUR 0.02", time: "2s", confidence: 0.9 }`, or nothing for no bid. It is served as a loop of
   * its own, `ID.offer`, and has the time `within`.
   */
  bid(definition: Definition, offer: (work: unknown) => unknown, handler: Handler, within = "1s"): this {
    const ask = `${definition.id}.offer`;
    const quote = { id: ask, version: definition.version, effects: "none", inputSchema: {}, outputSchema: { type: "object" } };
    this.loop(quote, async (work) => (await offer(work)) ?? { bid: false });
    return this.loop({ ...definition, bid: { ask, within } }, handler);
  }

  /** Registers a machine whose steps this agent serves. */
  define(definition: Definition): this {
    this.loops.push(definition);
    return this;
  }

  /** Takes no more calls; `serve` returns once the last is answered. */
  leave(): void {
    this.leaving = true;
    this.say({ type: "detach" });
    this.wake();
  }

  /** Serves until `leave`. Throws `RealmError` where the realm refuses it. */
  async serve(): Promise<void> {
    for (let pause = 100; !this.leaving; pause = Math.min(pause * 2, 5_000)) {
      if (await this.session()) pause = 100;
      if (this.leaving) break;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, pause * (0.5 + Math.random() / 2));
        this.wake = () => (clearTimeout(timer), resolve());
      });
    }
    await this.place.dispatcher.close();
  }

  private say(message: AgentMessage): void {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** One connection; gives whether it was attached. */
  private session(): Promise<boolean> {
    const { url, token, dispatcher } = this.place;
    const socket = new WebSocket(`${url.replace(/^http/, "ws")}/v1/agents/attach`, { dispatcher });
    const works = new Map<number, AbortController>();
    let attached = false;
    this.socket = socket;
    return new Promise((resolve, reject) => {
      socket.addEventListener("open", () => {
        const { concurrency = 8 } = this.options;
        this.say({ type: "attach", agent: this.name, loops: this.loops, concurrency, ...(token ? { token } : {}) });
      });
      socket.addEventListener("message", (event) => {
        const message = JSON.parse(String(event.data)) as RealmMessage;
        switch (message.type) {
          case "attached":
            attached = true;
            this.options.onAttached?.();
            // It was told to leave while it attached.
            if (this.leaving) this.say({ type: "detach" });
            break;
          case "call": {
            const work = new AbortController();
            works.set(message.call, work);
            void this.work(message, work.signal, socket).finally(() => works.delete(message.call));
            break;
          }
          case "cancel":
            works.get(message.call)?.abort();
            break;
          case "refused":
            reject(new RealmError(message.problem));
        }
      });
      // What went wrong is followed by the end of the connection.
      socket.addEventListener("error", () => {});
      socket.addEventListener("close", () => {
        for (const work of works.values()) work.abort();
        resolve(attached);
      });
    });
  }

  private async work(message: RealmMessageCall, signal: AbortSignal, socket: WebSocket): Promise<void> {
    const { call } = message;
    const say = (said: AgentMessage): void => {
      if (socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify(said));
    };
    try {
      const handler = this.handlers.get(message.loop);
      if (!handler) throw new Failure(`no handler for ${message.loop}`, "unknown");
      const work = new Call(message, signal, say);
      const output = (await handler(message.input, work)) ?? null;
      say({ type: "output", call, output, ...work.changes() });
    } catch (error) {
      if (error instanceof Asks) return say({ type: "ask", call, ...error.said });
      const known = error instanceof Failure ? error : undefined;
      say({
        type: "failure",
        call,
        message: known?.message ?? String(error),
        category: known?.category ?? "unknown",
        ...(known?.retryAfterMs === undefined ? {} : { retryAfterMs: known.retryAfterMs }),
      });
    }
  }
}
