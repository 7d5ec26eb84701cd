/** The frame around every page: who, where, whether it is live, in which language. */
import type { ComponentChildren, ComponentType } from "preact";
import { useEffect, useMemo, useState } from "preact/hooks";

import { useCell } from "./cell";
import { config as readConfig } from "./config";
import { Brand, Icon, type IconName } from "./parts/icons";
import { SignIn } from "./pages/sign-in";
import { route } from "./router";
import { keepLanguage, resume, session, signOut } from "./session";
import { recall, remember } from "./storage";
import type { Person, View } from "./types";
import { isLanguage, LANGUAGES, speak, useSpeech, type Language } from "./words";

const ROLES: [role: string, view: View][] = [
  ["investor", "invest"],
  ["business_owner", "business"],
  ["operations", "operations"],
];

function viewsOf(person: Person): View[] {
  const views = ROLES.filter(([role]) => person.roles.includes(role)).map(([, view]) => view);
  return views.length > 0 ? views : ["invest"];
}

export function App() {
  const { t } = useSpeech();
  const now = useCell(session);
  const path = useCell(route);
  const config = useCell(readConfig);
  const person = now.is === "in" ? now.person : null;
  const network = config?.sandbox_url ?? null;
  const roomy = useMedia("(min-width: 820px)");
  const [phoneOpen, setPhoneOpen] = useState(() => {
    const chosen = recall("local", "phone-open");
    return chosen === null ? matchMedia("(min-width: 1080px)").matches : chosen === "1";
  });
  const togglePhone = () => {
    remember("local", "phone-open", phoneOpen ? "0" : "1");
    setPhoneOpen(!phoneOpen);
  };

  const phoneAlone = path[0] === "phone" && network !== null;
  const views = person ? viewsOf(person) : [];
  const [named] = path;
  const view = views.find((each) => each === named) ?? views[0];
  const tab = path.find((part) => part === "offers" || part === "activity" || part === "messages");

  return (
    <div class={`shell ${network && phoneOpen && !phoneAlone ? "with-phone" : ""}`}>
      <a class="skip" href="#content" onClick={focusContent}>
        {t("skip")}
      </a>
      <Header
        person={person}
        views={views}
        view={phoneAlone ? null : (view ?? null)}
        phone={network === null || phoneAlone ? null : { open: phoneOpen, toggle: togglePhone }}
      />
      <main id="content" tabIndex={-1} data-tab={tab ?? "home"} data-view={phoneAlone ? undefined : view}>
        {phoneAlone && config && (
          <div class="phone-page">
            <Lazy load={loadPhone} props={{ config, network }} />
          </div>
        )}
        {now.is === "in" && view && !phoneAlone && <h1 class="unseen">{t(`view_${view}`)}</h1>}
        {now.is === "in" && view ? (
          // Stays while the phone is shown alone: the connection goes on.
          <Lazy
            key={now.person.id}
            load={loadSignedIn}
            props={{ person: now.person, view: phoneAlone ? null : view }}
          />
        ) : phoneAlone ? null : now.is === "out" ? (
          <SignIn config={config} />
        ) : (
          <Waiting unreachable={now.is === "unreachable"} />
        )}
      </main>
      {network && config && phoneOpen && roomy && !phoneAlone && (
        <aside class="phone-aside">
          <Lazy load={loadPhone} props={{ config, network }} />
        </aside>
      )}
      {(person || network) && (
        <TabBar view={view ?? null} tab={phoneAlone ? "phone" : (tab ?? "home")} phone={network !== null} />
      )}
    </div>
  );
}

const loadPhone = async () => (await import("./pages/phone")).PhonePanel;
const loadSignedIn = async () => (await import("./signed-in")).SignedIn;

function focusContent(event: Event): void {
  // The hash is the router's: the jump is made by hand.
  event.preventDefault();
  document.getElementById("content")?.focus();
}

function Waiting({ unreachable }: { unreachable: boolean }) {
  const { t } = useSpeech();
  return (
    <div class="waiting-page" role="status">
      <Brand />
      <p>{unreachable ? t("unreachable") : t("loading")}</p>
      {unreachable && (
        <button class="primary" type="button" onClick={() => void resume()}>
          {t("try_again")}
        </button>
      )}
    </div>
  );
}

/** Whether a media query holds, followed as the window changes. */
function useMedia(query: string): boolean {
  const media = useMemo(() => matchMedia(query), [query]);
  const [holds, setHolds] = useState(media.matches);
  useEffect(() => {
    const follow = () => setHolds(media.matches);
    follow();
    media.addEventListener("change", follow);
    return () => media.removeEventListener("change", follow);
  }, [media]);
  return holds;
}

/** A part of the page that is fetched when it is first shown. */
function Lazy<P extends object>({ load, props }: {
  load: () => Promise<ComponentType<P>>;
  props: P;
}) {
  const { t } = useSpeech();
  const [part, setPart] = useState<{ is: ComponentType<P> } | null>(null);
  const [failed, setFailed] = useState(false);
  const fetchIt = () => {
    setFailed(false);
    load().then((is) => setPart({ is }), () => setFailed(true));
  };
  useEffect(fetchIt, [load]);
  if (part) return <part.is {...props} />;
  if (!failed) return <p class="empty" role="status">{t("loading")}</p>;
  return (
    <p class="empty">
      {t("unreachable")}{" "}
      <button class="link" type="button" onClick={fetchIt}>
        {t("try_again")}
      </button>
    </p>
  );
}

function Header({ person, views, view, phone }: {
  person: Person | null;
  views: View[];
  view: View | null;
  phone: { open: boolean; toggle: () => void } | null;
}) {
  const { t } = useSpeech();
  const names: Record<View, string> = {
    invest: t("view_invest"),
    business: t("view_business"),
    operations: t("view_operations"),
  };
  return (
    <header class="top">
      <a class="brand" href="#/">
        <Brand />
        <span>Bvester</span>
      </a>
      {views.length > 1 && (
        <nav class="views" aria-label={t("nav")}>
          {views.map((each) => (
            <a key={each} href={`#/${each}`} aria-current={each === view ? "page" : undefined}>
              {names[each]}
            </a>
          ))}
        </nav>
      )}
      <div class="top-end">
        {person && <Slot load={loadConnection} />}
        {phone && (
          <button
            class="icon-button phone-toggle"
            type="button"
            aria-pressed={phone.open}
            aria-label={phone.open ? t("ph_hide") : t("ph_show")}
            title={phone.open ? t("ph_hide") : t("ph_show")}
            data-testid="phone-toggle"
            onClick={phone.toggle}
          >
            <Icon name="phone" />
          </button>
        )}
        <LanguageChoice />
        {person && (
          <>
            <span class="me">{person.display_name}</span>
            <button
              class="icon-button"
              type="button"
              aria-label={t("sign_out")}
              title={t("sign_out")}
              data-testid="sign-out"
              onClick={() => void signOut()}
            >
              <Icon name="out" />
            </button>
          </>
        )}
      </div>
    </header>
  );
}

const loadConnection = async () => (await import("./signed-in")).ConnectionState;

function Slot({ load }: { load: () => Promise<ComponentType> }): ComponentChildren {
  const [part, setPart] = useState<{ is: ComponentType } | null>(null);
  useEffect(() => {
    // If it cannot be fetched, the page beside it says so.
    load().then((is) => setPart({ is }), () => undefined);
  }, [load]);
  return part && <part.is />;
}

function LanguageChoice() {
  const { t, language } = useSpeech();
  const choose = async (chosen: string) => {
    if (!isLanguage(chosen)) return;
    await speak(chosen);
    // Failing to keep it with the person leaves this page in the chosen language all the same.
    await keepLanguage(chosen).catch(() => undefined);
  };
  return (
    <select
      class="language"
      aria-label={t("language")}
      value={language}
      data-testid="language"
      onChange={(event) => void choose(event.currentTarget.value)}
    >
      {(Object.keys(LANGUAGES) as Language[]).map((each) => (
        <option key={each} value={each}>
          {LANGUAGES[each]}
        </option>
      ))}
    </select>
  );
}

function TabBar({ view, tab, phone }: { view: View | null; tab: string; phone: boolean }) {
  const { t } = useSpeech();
  const base = view === null || view === "invest" ? "" : `${view}/`;
  const tabs: [name: string, path: string, icon: IconName, text: string][] = [];
  tabs.push(["home", base, "home", view ? t("nav_home") : t("sign_in")]);
  if (view === "invest") tabs.push(["offers", "offers", "offers", t("nav_offers")]);
  if (view === "invest" || view === "business") {
    tabs.push(["activity", `${base}activity`, "activity", t("nav_activity")]);
    tabs.push(["messages", `${base}messages`, "messages", t("nav_messages")]);
  }
  if (phone) tabs.push(["phone", "phone", "phone", t("nav_phone")]);
  return (
    <nav class="tabs" aria-label={t("nav")}>
      {tabs.map(([name, path, icon, text]) => (
        <a key={name} href={`#/${path}`} aria-current={name === tab ? "page" : undefined}>
          <Icon name={icon} />
          <span>{text}</span>
        </a>
      ))}
    </nav>
  );
}
