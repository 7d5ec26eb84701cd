/** Line icons, drawn with the text's colour; all decorative, the words beside them carry meaning. */

const PATHS = {
  home: "M4 11 12 4l8 7v8a1 1 0 0 1-1 1h-4v-6H9v6H5a1 1 0 0 1-1-1z",
  offers: "M4 18 10 12l4 4 6-8M15 8h5v5",
  activity: "M3 12h4l3-7 4 14 3-7h4",
  messages: "M5 5h14a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1h-7l-4 4v-4H5a1 1 0 0 1-1-1V6a1 1 0 0 1 1-1z",
  phone: "M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1zM10 6h4v4h-4zM10 14h0M12 14h0M14 14h0M10 17h0M12 17h0M14 17h0",
  money: "M3 7h18v10H3zM12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM6.5 12h0M17.5 12h0",
  progress: "M5 20v-6M12 20V9M19 20V4",
  message: "M4 6h16v12H4zM4 7l8 6 8-6",
  trouble: "M12 4 21 20H3zM12 10v4M12 17h0",
  account: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM5 20c.8-3.5 3.5-5 7-5s6.2 1.5 7 5",
  back: "M15 5l-7 7 7 7",
  send: "M4 12 20 4l-5 16-3-7z",
  close: "M6 6l12 12M18 6 6 18",
  out: "M10 4H5v16h5M14 8l4 4-4 4M18 12H9",
  call: "M6 4h3l2 5-2.5 1.5a11 11 0 0 0 5 5L15 13l5 2v3a2 2 0 0 1-2 2A14 14 0 0 1 4 6a2 2 0 0 1 2-2z",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

export function Brand() {
  return (
    <svg class="brand-mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <rect width="32" height="32" rx="9" />
      <path d="M9 23V9h6.2c3 0 4.9 1.5 4.9 3.9 0 1.6-.9 2.7-2.2 3.1 1.7.3 2.9 1.6 2.9 3.4 0 2.3-1.9 3.6-5 3.6z" />
      <circle cx="24" cy="9" r="3" />
    </svg>
  );
}
