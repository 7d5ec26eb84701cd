import type { ComponentChildren } from "preact";

import { useCell } from "../cell";
import type { Resource } from "../resource";
import { useSpeech } from "../words";
import { Placeholder } from "./card";

/** A list that is read from the hub: its items, or plainly why there are none. */
export function Listed<T>({ from, empty, children }: {
  from: Resource<T[]>;
  empty: string;
  children: (items: T[]) => ComponentChildren;
}) {
  const { t } = useSpeech();
  const items = useCell(from.value);
  const failed = useCell(from.failed);
  if (items !== null && items.length > 0) return <>{children(items)}</>;
  return (
    <Placeholder
      loading={items === null}
      failed={items === null && failed ? t("unreachable") : null}
      empty={empty}
      retry={{ label: t("try_again"), act: () => void from.refresh() }}
    />
  );
}
