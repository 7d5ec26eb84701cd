/** Signing in: a phone number, then the code that arrives on it. */
import { useEffect, useId, useState } from "preact/hooks";

import { chooseHandset } from "../config";
import { roleText } from "../parts/role";
import { problemText } from "../problem-text";
import { sendCode, signIn, type Challenge } from "../session";
import type { Config } from "../types";
import { useSpeech } from "../words";

const RESEND_AFTER_S = 30;

export function SignIn({ config }: { config: Config | null }) {
  const { t } = useSpeech();
  const [phone, setPhone] = useState("");
  const [challenge, setChallenge] = useState<Challenge | null>(null);
  const code = config?.service_code ?? "*384*7#";
  return (
    <div class="welcome">
      <div class="pitch">
        <h1>{t("tagline")}</h1>
        <ul>
          <li>{t("pitch_1")}</li>
          <li>{t("pitch_2")}</li>
          <li>{t("pitch_3", { code })}</li>
        </ul>
      </div>
      <section class="card sign-in" aria-labelledby="sign-in-title">
        <h2 id="sign-in-title">{t("sign_in")}</h2>
        {challenge ? (
          <CodeForm
            phone={phone}
            challenge={challenge}
            onChallenge={setChallenge}
            onBack={() => setChallenge(null)}
          />
        ) : (
          <PhoneForm phone={phone} onPhone={setPhone} onChallenge={setChallenge} />
        )}
        {!challenge && config?.demo && <DemoPeople config={config} phone={phone} onPick={setPhone} />}
      </section>
    </div>
  );
}

function PhoneForm({ phone, onPhone, onChallenge }: {
  phone: string;
  onPhone: (phone: string) => void;
  onChallenge: (challenge: Challenge) => void;
}) {
  const { t } = useSpeech();
  const id = useId();
  const [busy, fault, run] = useTry();
  const submit = (event: Event) => {
    event.preventDefault();
    void run(async () => onChallenge(await sendCode(phone.replace(/[\s()-]/g, ""))));
  };
  return (
    <form onSubmit={submit}>
      <p class="lead">{t("sign_in_lead")}</p>
      <label for={id}>{t("phone")}</label>
      <input
        id={id}
        type="tel"
        autocomplete="tel"
        required
        value={phone}
        aria-describedby={`${id}-hint`}
        aria-invalid={fault !== null}
        data-testid="phone"
        onInput={(event) => onPhone(event.currentTarget.value)}
      />
      <p class="hint" id={`${id}-hint`}>
        {t("phone_hint")}
      </p>
      <button class="primary wide" disabled={busy} data-testid="send-code">
        {t("send_code")}
      </button>
      <p class="wrong" role="alert">
        {fault}
      </p>
    </form>
  );
}

function CodeForm({ phone, challenge, onChallenge, onBack }: {
  phone: string;
  challenge: Challenge;
  onChallenge: (challenge: Challenge) => void;
  onBack: () => void;
}) {
  const { t } = useSpeech();
  const id = useId();
  const [code, setCode] = useState("");
  const [wait, setWait] = useState(RESEND_AFTER_S);
  const [busy, fault, run] = useTry();
  useEffect(() => {
    const timer = setInterval(() => setWait((seconds) => Math.max(0, seconds - 1)), 1_000);
    return () => clearInterval(timer);
  }, []);
  const submit = (event: Event) => {
    event.preventDefault();
    void run(() => signIn(challenge, code.replace(/\D/g, "")));
  };
  const resend = () =>
    run(async () => {
      onChallenge(await sendCode(phone.replace(/[\s()-]/g, "")));
      setWait(RESEND_AFTER_S);
    });
  return (
    <form onSubmit={submit}>
      <p class="lead" role="status">
        {t("code_sent", { phone })}
      </p>
      <label for={id}>{t("code")}</label>
      <input
        id={id}
        class="code"
        type="text"
        inputMode="numeric"
        autocomplete="one-time-code"
        maxLength={7}
        required
        autofocus
        value={code}
        aria-invalid={fault !== null}
        data-testid="code"
        onInput={(event) => setCode(event.currentTarget.value)}
      />
      <button class="primary wide" disabled={busy} data-testid="sign-in">
        {t("sign_in")}
      </button>
      <p class="wrong" role="alert">
        {fault}
      </p>
      <p class="choices">
        <button class="link" type="button" onClick={onBack}>
          {t("change_phone")}
        </button>
        <button class="link" type="button" disabled={wait > 0 || busy} onClick={() => void resend()}>
          {wait > 0 ? t("resend_in", { seconds: wait }) : t("resend")}
        </button>
      </p>
    </form>
  );
}

function DemoPeople({ config, phone, onPick }: {
  config: Config;
  phone: string;
  onPick: (phone: string) => void;
}) {
  const speech = useSpeech();
  return (
    <div class="demo">
      <h3>{speech.t("demo_people")}</h3>
      <p class="hint">{speech.t("demo_lead")}</p>
      <ul>
        {config.demo?.people.map((person) => (
          <li key={person.phone}>
            <button
              type="button"
              class="person"
              aria-pressed={person.phone === phone}
              onClick={() => {
                onPick(person.phone);
                chooseHandset(person.phone);
              }}
            >
              <span>{person.name}</span>
              <small>{roleText(person.role, speech)}</small>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Something that may fail: whether it runs, what went wrong, and how to run it. */
function useTry() {
  const speech = useSpeech();
  const [busy, setBusy] = useState(false);
  const [fault, setFault] = useState<unknown>(null);
  const run = async (work: () => Promise<void>) => {
    setBusy(true);
    setFault(null);
    try {
      await work();
    } catch (trouble) {
      setFault(trouble);
    } finally {
      setBusy(false);
    }
  };
  return [busy, fault === null ? null : problemText(fault, speech), run] as const;
}
