import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface Props {
  title: string;
  /** On narrow screens: the tabs that show this card. */
  tabs?: string;
  class?: string;
  aside?: ComponentChildren;
  testId?: string;
  children: ComponentChildren;
}

/** A titled section of a page. */
export function Card({ title, tabs, class: extra = "", aside, testId, children }: Props) {
  const id = useId();
  return (
    <section class={`card ${extra}`} data-tabs={tabs} data-testid={testId} aria-labelledby={id}>
      <header class="card-head">
        <h2 id={id}>{title}</h2>
        {aside}
      </header>
      {children}
    </section>
  );
}

/** What stands in for a list: while it is read, when it could not be, when it is empty. */
export function Placeholder({ loading, failed, empty, retry }: {
  loading: boolean;
  failed: string | null;
  empty: string;
  retry: { label: string; act: () => void };
}) {
  if (failed !== null) {
    return (
      <p class="empty">
        {failed}{" "}
        <button class="link" type="button" onClick={retry.act}>
          {retry.label}
        </button>
      </p>
    );
  }
  if (loading) {
    return (
      <div class="skeleton" aria-hidden="true">
        <i />
        <i />
        <i />
      </div>
    );
  }
  return <p class="empty">{empty}</p>;
}
