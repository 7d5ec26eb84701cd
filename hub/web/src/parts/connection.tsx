import { useCell } from "../cell";
import { connection, reconnect } from "../live";
import { timeOfDay } from "../moment";
import { useSpeech } from "../words";

/** Whether what is on the screen is live, and if not, of when it is. */
export function ConnectionState() {
  const { t, locale } = useSpeech();
  const { state, asOf } = useCell(connection);
  const time = asOf === null ? "" : timeOfDay(asOf, locale);
  const text =
    state === "connected"
      ? t("live")
      : state === "connecting"
        ? asOf === null
          ? t("connecting")
          : t("reconnecting", { time })
        : asOf === null
          ? t("offline")
          : t("offline_as_of", { time });
  return (
    <p class="connection" data-testid="connection" data-state={state}>
      <span class="dot" aria-hidden="true" />
      <span role="status">{text}</span>
      {state === "disconnected" && (
        <button class="link" type="button" onClick={reconnect}>
          {t("connect")}
        </button>
      )}
    </p>
  );
}
