/** A feature phone on the screen: SMS and USSD as Otieno in Kisumu has them, for the demo. */
import { useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";

import { useCell } from "../cell";
import { chooseHandset, handsetNumber } from "../config";
import { handset, type Handset } from "../handset";
import { timeOfDay, when } from "../moment";
import { Icon } from "../parts/icons";
import { roleText } from "../parts/role";
import type { Config } from "../types";
import { useSpeech } from "../words";

const KEYS: [string, string][] = [
  ["1", ""],
  ["2", "abc"],
  ["3", "def"],
  ["4", "ghi"],
  ["5", "jkl"],
  ["6", "mno"],
  ["7", "pqrs"],
  ["8", "tuv"],
  ["9", "wxyz"],
  ["*", ""],
  ["0", "+"],
  ["#", ""],
];

const OTHER = "other";

export function PhonePanel({ config, network }: { config: Config; network: string }) {
  const speech = useSpeech();
  const { t } = speech;
  const people = config.demo?.people ?? [];
  const id = useId();
  const number = useCell(handsetNumber) ?? firstOf(people);
  const listed = people.some(({ phone }) => phone === number);
  const [typing, setTyping] = useState(false);
  const other = typing || !listed;
  const person = people.find(({ phone }) => phone === number);

  const choose = (value: string) => {
    setTyping(value === OTHER);
    if (value !== OTHER) chooseHandset(value);
  };
  return (
    <section class="phone-panel" data-testid="phone-panel" aria-label={t("ph_title")}>
      <h2 title={t("ph_lead")}>{t("ph_title")}</h2>
      <div class="field">
        <label for={id}>
          {t("ph_number")}
          {person?.pin && <span class="hint"> · {t("ph_pin", { pin: person.pin })}</span>}
        </label>
        <select
          id={id}
          data-testid="phone-number"
          value={other ? OTHER : number}
          onChange={(event) => choose(event.currentTarget.value)}
        >
          {people.map(({ name, phone, role }) => (
            <option key={phone} value={phone}>
              {`${name}, ${roleText(role, speech)} · ${phone}`}
            </option>
          ))}
          <option value={OTHER}>{t("ph_other")}</option>
        </select>
        {other && (
          <input
            type="tel"
            aria-label={t("phone")}
            placeholder="+254712345678"
            value={listed ? "" : number}
            data-testid="phone-other"
            onInput={(event) => chooseHandset(event.currentTarget.value.replace(/[\s()-]/g, ""))}
          />
        )}
      </div>
      {/^\+\d{8,15}$/.test(number) && (
        <Device
          key={number}
          number={number}
          network={network}
          code={config.service_code ?? "*384*7#"}
          hub={config.sender_id ?? ""}
        />
      )}
    </section>
  );
}

function firstOf(people: { phone: string; pin: string | null }[]): string {
  // Who has a PIN has a feature phone.
  return (people.find(({ pin }) => pin) ?? people[0])?.phone ?? "";
}

interface DeviceProps {
  number: string;
  network: string;
  /** The code that an empty call dials. */
  code: string;
  /** Whom an SMS goes to that answers none. */
  hub: string;
}

function Device({ number, network, code, hub }: DeviceProps) {
  const { t } = useSpeech();
  const device = useMemo(() => handset(network, number, hub), [network, number, hub]);
  const [text, setText] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const busy = useCell(device.busy);
  useEffect(() => device.listen(), [device]);

  const call = () => {
    const typed = text.trim() || code;
    setText("");
    void device.call(typed);
  };
  const sms = () => {
    const typed = text.trim();
    if (!typed) return;
    setText("");
    void device.sendSms(typed);
  };
  const press = (key: string) => {
    setText((before) => before + key);
    input.current?.focus({ preventScroll: true });
  };
  const end = () => {
    device.hangUp();
    setText("");
  };
  return (
    <form
      class="handset"
      onSubmit={(event) => {
        event.preventDefault();
        call();
      }}
    >
      <span class="earpiece" aria-hidden="true" />
      <Screen device={device}>
        <input
          ref={input}
          type="text"
          autocomplete="off"
          aria-label={t("ph_input")}
          placeholder={t("ph_placeholder", { code })}
          maxLength={160}
          value={text}
          data-testid="phone-input"
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </Screen>
      <div class="soft">
        <button type="button" data-testid="phone-send" disabled={busy || !text.trim()} onClick={sms}>
          {t("ph_send")}
        </button>
        <button
          type="button"
          data-testid="phone-erase"
          disabled={!text}
          onClick={() => setText((before) => before.slice(0, -1))}
        >
          {t("ph_erase")}
        </button>
      </div>
      <div class="calls">
        <button class="key green" data-testid="phone-dial" disabled={busy} aria-label={t("ph_dial")}>
          <Icon name="call" />
        </button>
        <button
          class="key red"
          type="button"
          data-testid="phone-end"
          aria-label={t("ph_end")}
          onClick={end}
        >
          <Icon name="call" />
        </button>
      </div>
      <div class="keypad">
        {KEYS.map(([key, letters]) => (
          <button class="key" type="button" key={key} onClick={() => press(key)} data-key={key}>
            <b>{key}</b>
            <small aria-hidden="true">{letters}</small>
          </button>
        ))}
      </div>
    </form>
  );
}

function Screen({ device, children }: { device: Handset; children: preact.ComponentChildren }) {
  const { t, locale } = useSpeech();
  const messages = useCell(device.messages);
  const dialogue = useCell(device.dialogue);
  const busy = useCell(device.busy);
  const complaint = useCell(device.complaint);
  const reachable = useCell(device.reachable);
  const list = useRef<HTMLOListElement>(null);
  useLayoutEffect(() => {
    if (list.current) list.current.scrollTop = list.current.scrollHeight;
  }, [messages.length]);
  return (
    <div class="screen" data-testid="phone-screen" role="group" aria-label={t("ph_screen")}>
      <p class="status">
        <span class={`bars ${reachable ? "" : "none"}`} aria-hidden="true">
          <i />
          <i />
          <i />
          <i />
        </span>
        <span>{reachable ? "Bvester" : t("ph_no_service")}</span>
        <Clock locale={locale} />
      </p>
      <div class="view">
        <ol class="sms" ref={list} data-testid="phone-sms" aria-label={t("ph_sms")} aria-live="polite" tabIndex={0}>
          {messages.length === 0 && <li class="none">{t("ph_no_sms")}</li>}
          {messages.map(({ id, direction, peer, text, at }) => (
            <li key={id} class={direction} data-testid="phone-sms-item">
              <small>
                {direction === "in" ? peer : `→ ${peer}`} · {when(at, locale)}
              </small>
              <p>{text}</p>
            </li>
          ))}
        </ol>
        {(dialogue || busy || complaint) && (
          <div class="ussd" role="status" data-testid="phone-ussd">
            <p>{busy ? t("ph_wait") : (complaint ?? dialogue?.text)}</p>
            {!busy && dialogue && !dialogue.more && !complaint && <small>{t("ph_ended")}</small>}
          </div>
        )}
      </div>
      {children}
    </div>
  );
}

function Clock({ locale }: { locale: string }) {
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 10_000);
    return () => clearInterval(timer);
  }, []);
  return <span>{timeOfDay(now, locale)}</span>;
}
