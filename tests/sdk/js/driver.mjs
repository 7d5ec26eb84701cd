// Drives the official `centrifuge` package for a test in Python: one JSON object a line each way.
//
// In:  {"id": 1, "client": "a", "do": "publish", "with": {...}}
// Out: {"id": 1, "result": ...} or {"id": 1, "error": {"code", "message"}}
//      {"client": "a", "on": "publication", ...}            what the SDK told the application
//
// The argument is the folder of the package. Nothing here knows the protocol.

import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const folder = process.argv[2];
const load = (path) => import(pathToFileURL(join(folder, "build", path)).href);
const packages = { json: await load("index.mjs"), protobuf: await load("protobuf/index.mjs") };

const clients = new Map();
const write = (message) => process.stdout.write(JSON.stringify(message) + "\n");

class Driven {
  constructor(name, { url, encoding, tokens, ...options }) {
    this.name = name;
    this.binary = encoding === "protobuf";
    if (tokens) options.getToken = this.tokens(tokens, "");
    this.centrifuge = new packages[encoding].Centrifuge(url, options);
    this.listen(this.centrifuge, (context) => context.channel);
  }

  tell(on, facts) {
    write({ client: this.name, on, ...facts });
  }

  // The tokens that the application has, one after the other; the last one stays.
  tokens(list, channel) {
    const left = [...list];
    return async () => {
      this.tell("token", { channel });
      return left.length > 1 ? left.shift() : left[0];
    };
  }

  encode(data) {
    return this.binary ? new TextEncoder().encode(JSON.stringify(data)) : data;
  }

  decode(data) {
    if (data === undefined || data === null) return null;
    if (!this.binary) return data;
    return data.length ? JSON.parse(new TextDecoder().decode(data)) : null;
  }

  info(info) {
    return info ? { user: info.user, client: info.client, info: this.decode(info.connInfo) } : null;
  }

  publication(publication) {
    const { offset = 0, tags = {} } = publication;
    return { data: this.decode(publication.data), offset, tags, info: this.info(publication.info) };
  }

  listen(emitter, channelOf) {
    const say = (on, facts) =>
      emitter.on(on, (context) => this.tell(on, { channel: channelOf(context), ...facts(context) }));
    if (emitter === this.centrifuge) {
      say("connected", ({ client, data, transport }) => ({ id: client, transport, data: this.decode(data) }));
      say("disconnected", ({ code, reason }) => ({ code, reason }));
      say("connecting", ({ code, reason }) => ({ code, reason }));
    }
    say("error", ({ error }) => ({ code: error.code, message: error.message }));
    say("subscribing", ({ code }) => ({ code }));
    say("unsubscribed", ({ code, reason }) => ({ code, reason }));
    say("subscribed", (context) => ({
      recoverable: context.recoverable,
      positioned: context.positioned,
      recovered: context.recovered,
      was_recovering: context.wasRecovering,
      offset: context.streamPosition?.offset ?? 0,
      epoch: context.streamPosition?.epoch ?? "",
      data: this.decode(context.data),
    }));
    say("publication", (context) => this.publication(context));
    say("join", ({ info }) => ({ info: this.info(info) }));
    say("leave", ({ info }) => ({ info: this.info(info) }));
  }

  subscribe({ channel, tokens, options = {} }) {
    let subscription = this.centrifuge.getSubscription(channel);
    if (!subscription) {
      const settings = { minResubscribeDelay: 50, ...options };
      if (tokens) settings.getToken = this.tokens(tokens, channel);
      subscription = this.centrifuge.newSubscription(channel, settings);
      this.listen(subscription, () => channel);
    }
    subscription.subscribe();
  }

  subscribe_many({ channels, options }) {
    this.centrifuge.startBatching();
    for (const channel of channels) this.subscribe({ channel, options });
    this.centrifuge.stopBatching();
  }

  connect() {
    this.centrifuge.connect();
  }

  disconnect() {
    this.centrifuge.disconnect();
  }

  unsubscribe({ channel }) {
    this.centrifuge.getSubscription(channel).unsubscribe();
  }

  async publish({ channel, data }) {
    await this.centrifuge.publish(channel, this.encode(data));
  }

  async presence({ channel }) {
    const { clients: found } = await this.centrifuge.presence(channel);
    return Object.values(found).map((info) => this.info(info));
  }

  async presence_stats({ channel }) {
    const { numClients, numUsers } = await this.centrifuge.presenceStats(channel);
    return { clients: numClients, users: numUsers };
  }

  async history({ channel, ...options }) {
    const { publications, offset, epoch } = await this.centrifuge.history(channel, options);
    return { publications: publications.map((each) => this.publication(each)), offset, epoch };
  }

  async rpc({ method, data }) {
    return this.decode((await this.centrifuge.rpc(method, this.encode(data))).data);
  }
}

const perform = async ({ client, do: action, with: facts = {} }) => {
  if (action === "open") {
    clients.set(client, new Driven(client, facts));
    return null;
  }
  return (await clients.get(client)[action](facts)) ?? null;
};

createInterface({ input: process.stdin })
  .on("line", (line) => {
    const command = JSON.parse(line);
    perform(command).then(
      (result) => write({ id: command.id, result }),
      ({ code = 0, message }) => write({ id: command.id, error: { code, message } }),
    );
  })
  .on("close", () => process.exit(0));
