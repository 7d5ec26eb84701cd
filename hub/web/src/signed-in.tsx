/** What a signed-in person sees: connects, reads, and shows the page of the chosen view, if any. */
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";

import { goLive, stopLive } from "./live";
import { Dashboard } from "./pages/dashboard";
import { Operations } from "./pages/operations";
import { Owner } from "./pages/owner";
import { Announcer, forgetSeen } from "./parts/feed";
import { resume } from "./session";
import { feed, forgetEverything, readAll, take } from "./stores";
import { forgetThreads } from "./thread";
import type { Person, View } from "./types";
import { isLanguage, speak } from "./words";

export { ConnectionState } from "./parts/connection";

const PAGES: Record<View, ComponentType<{ person: Person }>> = {
  invest: Dashboard,
  business: Owner,
  operations: Operations,
};

export function SignedIn({ person, view }: { person: Person; view: View | null }) {
  useEffect(() => {
    const owner = person.roles.includes("business_owner");
    if (isLanguage(person.language)) void speak(person.language, person.country);
    const read = readAll(owner);
    const own = {
      onEvent: (event: Parameters<typeof take>[0]) => take(event, owner),
      async onGap(position: number | null) {
        // What was read may be older than the stream's position: only then is it read again.
        await read;
        const top = feed.value.get()?.[0]?.offset ?? 0;
        if (position === null || top < position) await readAll(owner);
      },
    };
    void goLive(own, () => void resume());
    return () => {
      stopLive();
      forgetEverything();
      forgetThreads();
      forgetSeen();
    };
  }, [person.id]);

  const Page = view && PAGES[view];
  return (
    <>
      {Page && <Page person={person} />}
      <Announcer />
    </>
  );
}
