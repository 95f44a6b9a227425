// A tour of the fake Google with the client that Google publishes for Node: consent, exchange, refresh, events, access
// lists. Only addresses are changed. FAKE_GOOGLE_BIN names the fake's program; packages are found by NODE_PATH.
//
// Run by tests/run, or by hand after `npm ci`: FAKE_GOOGLE_BIN=target/debug/fake-google node --test tests/node

"use strict";

const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { createHash, randomBytes } = require("node:crypto");
const { mkdtempSync, rmSync } = require("node:fs");
const { tmpdir } = require("node:os");
const { join } = require("node:path");
const { createInterface } = require("node:readline");
const test = require("node:test");

const { auth, calendar } = require("@googleapis/calendar");

const ALICE = "alice@example.com";
const BOB = "bob@example.com";
const SCOPES = ["calendar", "userinfo.email"].map((name) => `https://www.googleapis.com/auth/${name}`);
const LIMIT = { timeout: 60_000 };

// A fresh fake for one test; it ends with the test.
async function fakeGoogle(t) {
  const scratch = mkdtempSync(join(tmpdir(), "fake-google-"));
  const options = ["--zone", "Europe/Vienna", "--key-file", join(scratch, "key.json")];
  const server = spawn(process.env.FAKE_GOOGLE_BIN, options, { stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => {
    server.kill("SIGKILL");
    rmSync(scratch, { recursive: true });
  });
  const lines = createInterface({ input: server.stdout });
  const line = await new Promise((resolve, reject) => {
    lines.once("line", resolve);
    server.once("error", reject);
    server.once("exit", (code) => reject(new Error(`the fake ended with ${code}`)));
  });
  // What it says after this line is nobody's secret, and looked through with all other output.
  lines.on("line", (said) => console.log(said));
  const described = JSON.parse(line);
  const order = async (name, body) => {
    const answer = await fetch(`${described.control_url}/${name}`, { method: "POST", body: JSON.stringify(body) });
    assert.equal(answer.status, 200, await answer.clone().text());
    return answer.json();
  };
  return { described, order };
}

function oauth(described) {
  return new auth.OAuth2({
    clientId: described.client_id,
    clientSecret: described.client_secret,
    redirectUri: described.redirect_uris[0],
    forceRefreshOnFailure: true,
    endpoints: {
      oauth2AuthBaseUrl: described.auth_url,
      oauth2TokenUrl: described.token_url,
      oauth2RevokeUrl: described.revoke_url,
      tokenInfoUrl: `${described.base_url}/tokeninfo`,
    },
  });
}

// From the consent page to a client with tokens.
async function consented(fake, account) {
  const client = oauth(fake.described);
  const verifier = `neversay${randomBytes(48).toString("base64url")}`;
  const url = client.generateAuthUrl({
    access_type: "offline",
    prompt: "consent",
    scope: SCOPES,
    state: "s1-neversay",
    code_challenge_method: "S256",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
  });
  const landed = new URL((await fake.order("consent", { url, account })).url);
  assert.equal(landed.searchParams.get("state"), "s1-neversay");
  const code = landed.searchParams.get("code");
  await assert.rejects(client.getToken({ code, codeVerifier: "neversay".repeat(6) }), /invalid_grant/);
  const { tokens } = await client.getToken({ code, codeVerifier: verifier });
  client.setCredentials(tokens);
  return { client, tokens, api: calendar({ version: "v3", auth: client, rootUrl: `${fake.described.base_url}/` }) };
}

test("consent, exchange, refresh and revocation", LIMIT, async (t) => {
  // Looked for in what this tour prints: a search that finds nothing has to be one that finds this.
  console.log("control-neversay");
  const fake = await fakeGoogle(t);
  const { client, tokens } = await consented(fake, ALICE);
  assert.ok(tokens.refresh_token && tokens.access_token && tokens.expiry_date > Date.now());
  assert.deepEqual(new Set(tokens.scope.split(" ")), new Set([...SCOPES, "openid"]));
  const info = await client.getTokenInfo(tokens.access_token);
  assert.equal(info.email, ALICE);
  assert.ok(info.scopes.includes(SCOPES[0]));

  const { credentials } = await client.refreshAccessToken();
  assert.notEqual(credentials.access_token, tokens.access_token);
  assert.equal(credentials.refresh_token, tokens.refresh_token, "the old one is kept");
  await client.revokeToken(tokens.refresh_token);
  await assert.rejects(client.refreshAccessToken(), /invalid_grant/);
});

test("an expired access token is renewed by the client itself", LIMIT, async (t) => {
  const fake = await fakeGoogle(t);
  const { client, tokens, api } = await consented(fake, ALICE);
  await fake.order("expire-access-tokens", {});
  const primary = await api.calendarList.get({ calendarId: "primary" });
  assert.equal(primary.data.id, ALICE);
  assert.notEqual(client.credentials.access_token, tokens.access_token);
});

test("events are listed, inserted, patched and deleted, and increments tell of it", LIMIT, async (t) => {
  const { api } = await consented(await fakeGoogle(t), ALICE);
  const start = await api.events.list({ calendarId: "primary" });
  const made = await api.events.insert({
    calendarId: "primary",
    requestBody: {
      summary: "Boiler check",
      start: { dateTime: "2030-03-04T09:00:00+01:00", timeZone: "Europe/Vienna" },
      end: { dateTime: "2030-03-04T10:00:00+01:00", timeZone: "Europe/Vienna" },
    },
  });
  const eventId = made.data.id;
  const patch = (summary, etag) =>
    api.events.patch({ calendarId: "primary", eventId, requestBody: { summary } }, { headers: { "If-Match": etag } });
  assert.equal((await patch("Boiler swap", made.data.etag)).data.summary, "Boiler swap");
  await assert.rejects(patch("Late", made.data.etag), (error) => Number(error.code ?? error.status) === 412);
  const changed = await api.events.list({ calendarId: "primary", syncToken: start.data.nextSyncToken });
  assert.deepEqual(changed.data.items.map((event) => event.summary), ["Boiler swap"]);
  assert.equal((await api.events.delete({ calendarId: "primary", eventId })).status, 204);
  const gone = await api.events.list({ calendarId: "primary", syncToken: changed.data.nextSyncToken });
  assert.deepEqual(gone.data.items.map((event) => event.status), ["cancelled"]);
});

test("a calendar is shared, written to by another person, and taken back", LIMIT, async (t) => {
  const fake = await fakeGoogle(t);
  const alice = (await consented(fake, ALICE)).api;
  const bob = (await consented(fake, BOB)).api;
  const insert = () =>
    bob.events.insert({
      calendarId: ALICE,
      requestBody: { start: { date: "2030-03-04" }, end: { date: "2030-03-05" } },
    });
  const status = (code) => (error) => Number(error.code ?? error.status) === code;
  await assert.rejects(insert(), status(404));
  const scope = { type: "user", value: BOB };
  const share = (role) =>
    alice.acl.insert({ calendarId: ALICE, sendNotifications: false, requestBody: { role, scope } });
  const rule = await share("reader");
  await assert.rejects(insert(), status(403));
  await share("writer");
  await insert();
  const entries = await bob.calendarList.list();
  assert.deepEqual(entries.data.items.map((entry) => entry.accessRole), ["writer", "owner"]);
  const rules = await alice.acl.list({ calendarId: ALICE });
  assert.equal(rules.data.items.length, 2);
  await alice.acl.delete({ calendarId: ALICE, ruleId: rule.data.id });
  await assert.rejects(insert(), status(404));
});
