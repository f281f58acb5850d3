// Realm from TypeScript: call loops, listen to runs, serve loops from inside.

export { Agent, Call, complete, proceed, type AgentOptions, type Answer, type Definition, type Handler } from "./agent.js";
export type * from "./api.js";
export { Realm, type CallOptions, type RunEvent, type StreamEvent, type StreamPart } from "./client.js";
export { CallFailed, Failure, RealmError } from "./errors.js";
export { Place, type PlaceOptions } from "./place.js";
