/** Starts the pages: the language, the session of an earlier visit, the first picture. */
import { render } from "preact";

import { App } from "./app";
import { readConfig } from "./config";
import { resume, session } from "./session";
import { preferredLanguage, speak } from "./words";

void readConfig();
void resume();
// Who was here before will most likely be let in: their page is fetched while the hub is asked.
if (session.get().is === "unknown") void import("./signed-in");
void speak(preferredLanguage());

const root = document.getElementById("app");
if (root) render(<App />, root);
