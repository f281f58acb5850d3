// Calling loops and listening to runs.

import { fetch, type Response } from "undici";
import { Api, type InvokeRequest, type InvokeResult, type Sent, type TraceEvent } from "./api.js";
import { CallFailed, RealmError } from "./errors.js";
import { Place, type PlaceOptions } from "./place.js";

/** One event of a run; the last is `end`. */
export type RunEvent =
  | { kind: "trace"; data: TraceEvent; index: number | undefined }
  | { kind: "end"; data: InvokeResult; index: number | undefined };

/** Some of the text that an output is being made of, where it stands in that, and which of the texts it is. */
export interface StreamPart {
  number: number;
  offset: number;
  text: string;
}

/** What a call shows of its output while that is being made; the last is `end`. */
export type StreamEvent = { kind: "part"; data: StreamPart } | { kind: "end"; data: InvokeResult };

/** What goes with a call. */
export type CallOptions = Omit<InvokeRequest, "loop" | "input">;

/** A realm of this machine. */
export class Realm extends Api {
  readonly place: Place;

  constructor(options: PlaceOptions = {}) {
    super();
    this.place = new Place(options);
  }

  close(): Promise<void> {
    return this.place.dispatcher.close();
  }

  protected async send<T>(method: string, path: string, sent: Sent = {}): Promise<T> {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(sent.query ?? {})) {
      if (value !== undefined) query.set(name, String(value));
    }
    const headers: Record<string, string> = { ...(sent.key ? { "idempotency-key": sent.key } : {}) };
    if (sent.body !== undefined) {
      headers["content-type"] = "application/json";
    }
    const body = sent.body === undefined ? null : JSON.stringify(sent.body);
    const response = await this.ask(`${path}${query.size ? `?${query}` : ""}`, method, headers, body);
    return (await response.json()) as T;
  }

  private async ask(path: string, method: string, headers: Record<string, string>, body: string | null): Promise<Response> {
    const { url, token, dispatcher } = this.place;
    const shown: Record<string, string> = token ? { authorization: `Bearer ${token}` } : {};
    const response = await fetch(`${url}${path}`, { method, body, dispatcher, headers: { ...shown, ...headers } });
    if (!response.ok) {
      const kind = response.headers.get("content-type") ?? "";
      const text = await response.text();
      const other = { type: "", title: "", status: response.status, code: "RLM-0504", detail: text.slice(0, 200) };
      throw new RealmError(kind.startsWith("application/problem+json") ? JSON.parse(text) : other);
    }
    return response;
  }

  /** Calls `loop` or `loop@realm`, and gives the whole result, failed or not. */
  call(loop: string, input: unknown, options: CallOptions = {}): Promise<InvokeResult> {
    return this.postInvoke({ loop, input, ...options });
  }

  /** Calls a loop, and gives its output; throws `CallFailed`. */
  async invoke<T = unknown>(loop: string, input: unknown, options: CallOptions = {}): Promise<T> {
    return output(await this.call(loop, input, options)) as T;
  }

  /** Calls a loop without waiting, and gives the run's id. */
  async start(loop: string, input: unknown, options: CallOptions = {}): Promise<string> {
    return (await this.call(loop, input, { ...options, detach: true })).runId;
  }

  /** A run's events as they become durable, from the first or after an index. */
  events(run: string, after?: number): AsyncGenerator<RunEvent> {
    const headers: Record<string, string> = after === undefined ? {} : { "last-event-id": String(after) };
    return this.listen(`/v1/runs/${encodeURIComponent(run)}/events`, "GET", headers, null);
  }

  /**
   * Calls a loop, and shows its output while it is being made. A part with another `number` than the one before
   * begins the text anew.
   */
  stream(loop: string, input: unknown, options: CallOptions = {}): AsyncGenerator<StreamEvent> {
    const body = JSON.stringify({ loop, input, ...options, stream: true });
    return this.listen("/v1/invoke", "POST", { "content-type": "application/json" }, body);
  }

  private async *listen<T>(path: string, method: string, headers: Record<string, string>, body: string | null): AsyncGenerator<T> {
    const response = await this.ask(path, method, headers, body);
    const decoder = new TextDecoder();
    let rest = "";
    let [kind, data, index]: [string, string, number | undefined] = ["", "", undefined];
    for await (const bytes of response.body ?? []) {
      const lines = (rest + decoder.decode(bytes as Uint8Array, { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        const at = line.indexOf(":");
        const [name, value] = [line.slice(0, at), line.slice(at + 1).replace(/^ /, "")];
        if (at > 0 && name === "event") kind = value;
        else if (at > 0 && name === "data") data += value;
        else if (at > 0 && name === "id") index = Number(value);
        else if (line === "" && data !== "") {
          yield { kind, data: JSON.parse(data), index } as T;
          [kind, data, index] = ["", "", undefined];
        }
      }
    }
  }

  /** Waits for a run's end, and gives its output; throws `CallFailed`. */
  async wait<T = unknown>(run: string): Promise<T> {
    for await (const event of this.events(run)) {
      if (event.kind === "end") return output(event.data) as T;
    }
    throw new Error(`the stream of run ${run} broke off`);
  }
}

function output(result: InvokeResult): unknown {
  if (result.status !== "ok") throw new CallFailed(result);
  return result.output;
}
