// Where a realm is reached: the socket in its home, or loopback with its token.

import { join } from "node:path";
import { Agent } from "undici";

/** The realm's home, or the URL that it listens on with its token; `REALM_HOME` unless told. */
export interface PlaceOptions {
  home?: string;
  url?: string;
  token?: string;
}

/** Either the path of a socket or a URL with the realm's token. */
export class Place {
  readonly url: string;
  readonly token: string | undefined;
  readonly dispatcher: Agent;

  constructor({ home, url, token }: PlaceOptions) {
    // The daemon keeps the time of a call.
    const times = { headersTimeout: 0, bodyTimeout: 0 };
    if (url !== undefined) {
      this.url = url.replace(/\/$/, "");
      this.token = token;
      this.dispatcher = new Agent(times);
      return;
    }
    const folder = home ?? process.env["REALM_HOME"];
    if (!folder) {
      throw new Error("no realm is named: give home or url, or set REALM_HOME");
    }
    this.url = "http://realm";
    this.token = undefined;
    this.dispatcher = new Agent({ ...times, connect: { socketPath: join(folder, "realmd.sock") } });
  }
}
