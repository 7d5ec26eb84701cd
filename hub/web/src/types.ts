/** What the hub's REST API and its streams say, as far as these pages read it. */

/** The side of the hub that a person looks at; who has several roles chooses. */
export type View = "invest" | "business" | "operations";

/** Minor units of an ISO 4217 currency: 125000 KES is KES 1,250.00. */
export interface Money {
  amount: number;
  currency: string;
}

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}

export interface Person {
  id: string;
  display_name: string;
  language: string;
  country: string;
  roles: string[];
  kyc_level: number;
}

export interface Session {
  access_token: string;
  expires_in: number;
  person: Person;
}

export interface Wallet {
  id: string;
  currency: string;
  /** Minor units; `available` is `posted` less what is `held`. */
  posted: number;
  held: number;
  available: number;
}

/** A moment on the wire: RFC 3339 text, or Unix milliseconds in events. */
export type Moment = string | number;

export interface Offering {
  id: string;
  business_id: string;
  business_name: string;
  title: string;
  summary: string;
  raised: Money;
  target: Money;
  /** Of one investment. */
  minimum: Money;
  /** Of all investments together. */
  maximum: Money;
  investors: number;
  state: "open" | "funded" | "failed";
  closes_at: Moment;
  rate_percent: string | number;
  term_months: number;
  sector: string;
  country: string;
}

export interface Investment {
  id: string;
  offering_id: string;
  offering_title: string;
  amount: Money;
  state: "confirmed" | "refunded";
  made_at: Moment;
  /** Told to the business only. */
  investor_name?: string;
  /** Of its offering; not in the answer to an investment. */
  raised?: Money;
  target?: Money;
}

export interface Business {
  id: string;
  name: string;
  sector: string;
  country: string;
  /** Null for everybody but its owner. */
  wallets: Wallet[] | null;
}

export interface Payment {
  id: string;
  state: string;
  amount: Money;
  checkout_url: string | null;
  created_at: Moment;
}

export interface Conversation {
  id: string;
  subject: string;
  business_id: string | null;
  members: { id: string; display_name: string }[];
  last_message_at: Moment | null;
  unread: number;
}

export interface Message {
  id: string;
  sender_id: string;
  sender_name: string;
  text: string;
  sent_at: Moment;
  sent_via: "app" | "sms" | "ussd";
}

/** An event of a stream; fields depend on `event` (its kind). */
export interface HubEvent {
  event: string;
  id: string;
  at: number;
  offset?: number;
  [field: string]: unknown;
}

export interface DemoPerson {
  name: string;
  phone: string;
  /** Roles joined by slashes. */
  role: string;
  pin: string | null;
}

export interface Config {
  sandbox_url: string | null;
  service_code?: string;
  /** Who the hub's SMS come from, and whom to answer. */
  sender_id?: string;
  demo: { people: DemoPerson[] } | null;
}

export interface Overview {
  connections: number;
  outbox_waiting: number;
  stream_tops: number;
  escalations: Record<string, number>;
  attempts: { channel: string; state: string; count: number; cost?: string | number | null; currency?: string | null }[];
  recent: { kind: string; at: Moment; id: string }[];
}

export interface PhoneMessage {
  id: string | number;
  direction: "in" | "out";
  peer: string;
  text: string;
  at: Moment;
}
