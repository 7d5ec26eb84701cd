// The official `centrifuge` package without a WebSocket, as a test in Python wants it.
//
// node fallback.mjs <folder of the package> <json: {stream, emulation, transport, encoding, token,
// channel}>; prints what the SDK tells an application, one JSON object a line, and obeys lines on
// stdin: {"do": "publish" | "rpc" | "presence" | "quit", ...}.
import { createInterface } from "node:readline";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, given] = process.argv.slice(2);
const { stream, emulation, transport, encoding, token, channel } = JSON.parse(given);
const build = encoding === "protobuf" ? "build/protobuf/index.mjs" : "build/index.mjs";
const { Centrifuge } = await import(pathToFileURL(join(folder, build)).href);
const tell = (on, facts = {}) => console.log(JSON.stringify({ on, ...facts }));
const binary = encoding === "protobuf";
const encode = (data) => (binary ? new TextEncoder().encode(JSON.stringify(data)) : data);
const decode = (data) => (binary ? JSON.parse(new TextDecoder().decode(data)) : data);

// As much of an EventSource as the SDK asks for.
class Events {
  #stop = new AbortController();

  constructor(url) {
    this.#read(url).catch(() => this.onerror?.({}));
  }

  async #read(url) {
    const answer = await fetch(url, { signal: this.#stop.signal });
    if (!answer.ok || !answer.headers.get("content-type").startsWith("text/event-stream")) {
      throw new Error(`status ${answer.status}`);
    }
    this.onopen?.({});
    let left = "";
    for await (const text of answer.body.pipeThrough(new TextDecoderStream())) {
      const lines = (left + text).split(/\r\n|\n/);
      left = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data: ")) this.onmessage?.({ data: line.slice(6) });
      }
    }
    throw new Error("the stream ended");
  }

  close() {
    this.#stop.abort();
  }
}

const client = new Centrifuge([{ transport, endpoint: stream }], {
  token,
  emulationEndpoint: emulation,
  eventsource: Events,
  fetch,
  readableStream: ReadableStream,
  minReconnectDelay: 20,
  maxReconnectDelay: 100,
});
client.on("connected", ({ transport }) => tell("connected", { transport }));
client.on("connecting", ({ code, reason }) => tell("connecting", { code, reason }));
client.on("disconnected", ({ code, reason }) => tell("disconnected", { code, reason }));
client.on("publication", ({ channel, data, offset }) =>
  tell("personal", { channel, data: decode(data), offset }),
);
client.on("subscribed", ({ channel, wasRecovering, recovered }) =>
  tell("personal subscribed", { channel, wasRecovering, recovered }),
);
client.on("error", ({ error }) => tell("error", error));
const subscription = client.newSubscription(channel);
subscription.on("subscribed", () => tell("subscribed"));
subscription.on("publication", ({ data }) => tell("publication", { data: decode(data) }));
subscription.subscribe();
client.connect();

const deeds = {
  publish: ({ data }) => subscription.publish(encode(data)),
  rpc: async ({ data }) => ({ data: decode((await client.rpc("echo", encode(data))).data) }),
  presence: async () => ({ clients: Object.keys((await subscription.presence()).clients).length }),
  quit: async () => client.disconnect(),
};
for await (const line of createInterface({ input: process.stdin })) {
  const wanted = JSON.parse(line);
  try {
    tell(`${wanted.do} done`, await deeds[wanted.do](wanted));
  } catch ({ code, message }) {
    tell(`${wanted.do} failed`, { code, message });
  }
  if (wanted.do === "quit") break;
}
