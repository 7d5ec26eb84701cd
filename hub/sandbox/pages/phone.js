// A feature phone in the browser, over the sandbox's phone API.
const element = (id) => document.getElementById(id);
const POLL_MS = 1500;
let number = "";
let lastId = null;
let session = null;
let looking = false;

function say(text) {
  element("note").textContent = text;
}

async function call(method, path, body) {
  const options = { method };
  if (body !== undefined) {
    options.headers = { "content-type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const answer = await fetch(`/phone/${encodeURIComponent(number)}${path}`, options);
  const result = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(result.detail ?? "The network did not take it.");
  return result;
}

function addMessage(message) {
  const item = document.createElement("li");
  item.className = message.direction;
  const head = document.createElement("span");
  const time = new Date(message.at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  head.textContent = `${message.direction === "in" ? "from" : "to"} ${message.peer}, ${time}`;
  const text = document.createElement("p");
  text.textContent = message.text;
  item.append(head, text);
  element("messages").prepend(item);
  if (message.direction === "in") element("to").value = message.peer;
}

async function look() {
  if (!number || looking) return;
  looking = true;
  const asked = number;
  try {
    const { items } = await call("GET", `/messages${lastId ? `?after=${lastId}` : ""}`);
    if (asked !== number) return;
    for (const message of items) {
      addMessage(message);
      lastId = message.id;
    }
    if (element("note").dataset.lost) {
      say("");
      delete element("note").dataset.lost;
    }
  } catch (fault) {
    say(fault instanceof TypeError ? "No network: the sandbox does not answer." : fault.message);
    element("note").dataset.lost = "1";
  } finally {
    looking = false;
  }
}

function showSession(turn) {
  session = turn.more ? turn.session_id : null;
  element("session").hidden = false;
  element("session").classList.toggle("ended", !turn.more);
  element("ussd").textContent = turn.text;
  element("keys-label").textContent = session ? "Answer" : "Dial";
  element("keys").placeholder = session ? "" : "*384*7#";
  element("send").textContent = session ? "OK" : "Call";
  element("cancel").hidden = session === null;
}

async function key(event) {
  event.preventDefault();
  const input = element("keys").value.trim();
  if (!input || !number) return;
  element("keys").value = "";
  element("send").disabled = true;
  say("");
  try {
    const dialling = input.startsWith("*") && input.endsWith("#");
    showSession(await call("POST", "/ussd", { session_id: dialling ? null : session, input }));
  } catch (fault) {
    say(fault.message);
  } finally {
    element("send").disabled = false;
    element("keys").focus();
  }
}

async function cancel() {
  if (session === null) return;
  try {
    await call("DELETE", `/ussd/${session}`);
  } catch (fault) {
    say(fault.message);
  }
  showSession({ session_id: null, text: "", more: false });
  element("session").hidden = true;
}

async function write(event) {
  event.preventDefault();
  try {
    await call("POST", "/messages", { to: element("to").value, text: element("text").value });
    element("text").value = "";
    say("Sent.");
    await look();
  } catch (fault) {
    say(fault.message);
  }
}

function switchOn(chosen) {
  const digits = chosen.replace(/[^\d]/g, "");
  number = digits ? `+${digits}` : "";
  lastId = null;
  session = null;
  say("");
  element("number").value = number;
  element("messages").replaceChildren();
  element("session").hidden = true;
  if (!number) return;
  document.title = `Phone ${number}`;
  history.replaceState(null, "", `?number=${encodeURIComponent(number)}`);
  look();
}

for (const label of ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"]) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = label;
  button.addEventListener("click", () => (element("keys").value += label));
  element("pad").append(button);
}
element("owner").addEventListener("submit", (event) => {
  event.preventDefault();
  switchOn(element("number").value);
});
element("dial").addEventListener("submit", key);
element("cancel").addEventListener("click", cancel);
element("write").addEventListener("submit", write);
setInterval(look, POLL_MS);
switchOn(new URLSearchParams(location.search).get("number") ?? "");
