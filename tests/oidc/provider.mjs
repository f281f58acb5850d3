// An OpenID Connect provider for tests, whose people do what standard input says.
//
//   node provider.mjs MODULES
//
// MODULES is the folder that oidc-provider is installed in. The address is the first line that is printed; each line
// of input is a command, and is answered by a line when it is done:
//
//   puts NAME GROUP...    NAME is in these groups from now on
//   removes NAME          the provider knows NAME no more
//   enters CODE NAME      NAME enters the code of a sign-in, and agrees
//   denies CODE           somebody enters it, and does not
//   down, up              nothing is answered but 503, until it is again

import { generateKeyPairSync } from "node:crypto";
import { createServer } from "node:http";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

// What it has to say of its own is no answer to a command.
console.info = console.error;
const [modules] = process.argv.slice(2);
const { default: Provider } = await import(
  pathToFileURL(`${modules}/node_modules/oidc-provider/lib/index.js`)
);

const SCOPE = "openid offline_access";
const people = new Map();
let down = false;

const server = createServer();
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "realm",
      client_secret: "the realm's own secret",
      grant_types: ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
      redirect_uris: [],
      response_types: [],
    },
  ],
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), kid: "one", use: "sig", alg: "RS256" }] },
  cookies: { keys: ["of a test"] },
  features: { deviceFlow: { enabled: true }, devInteractions: { enabled: false } },
  claims: { openid: ["sub", "preferred_username", "groups"] },
  conformIdTokenClaims: false,
  issueRefreshToken: () => true,
  // Each refresh token is good once.
  rotateRefreshToken: () => true,
  findAccount: (_, id) =>
    people.has(id)
      ? {
          accountId: id,
          claims: () => ({ sub: id, preferred_username: id, groups: people.get(id) }),
        }
      : undefined,
});
// It does not say how often it may be asked, and five seconds are long.
provider.use(async (ctx, next) => {
  await next();
  if (ctx.oidc?.route === "device_authorization" && ctx.status === 200) {
    ctx.body = { ...ctx.body, interval: 1 };
  }
});
const answers = provider.callback();
server.on("request", (request, response) => {
  if (down) {
    response.writeHead(503).end();
  } else {
    answers(request, response);
  }
});

async function entered(code) {
  const found = await provider.DeviceCode.findByUserCode(code.replace(/\W/g, ""));
  if (found === undefined) {
    throw new Error(`nobody was given ${code}`);
  }
  return found;
}

const commands = {
  puts: (name, ...groups) => people.set(name, groups),
  removes: (name) => people.delete(name),
  async enters(code, name) {
    const found = await entered(code);
    const grant = new provider.Grant({ clientId: "realm", accountId: name });
    grant.addOIDCScope(SCOPE);
    const now = Math.floor(Date.now() / 1000);
    Object.assign(found, { accountId: name, authTime: now, grantId: await grant.save(), scope: SCOPE });
    await found.save();
  },
  async denies(code) {
    const found = await entered(code);
    found.error = "access_denied";
    await found.save();
  },
  down: () => (down = true),
  up: () => (down = false),
};

console.log(issuer);
for await (const line of createInterface({ input: process.stdin })) {
  const [command, ...words] = line.split(" ");
  await commands[command](...words);
  console.log("done");
}
process.exit();
