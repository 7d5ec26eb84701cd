/** The business owner's page: what was raised, from whom, and what is in the wallet. */
import { useCell } from "../cell";
import { Amount } from "../parts/amount";
import { Card } from "../parts/card";
import { Conversations } from "../parts/conversations";
import { Feed } from "../parts/feed";
import { InvestmentList } from "../parts/investments";
import { Listed } from "../parts/list-state";
import { OfferFacts, useOfferingStream } from "../parts/offers";
import { Progress } from "../parts/progress";
import { backers, businesses, offerings, pastOfferings } from "../stores";
import type { Business, Offering, Person } from "../types";
import { useSpeech } from "../words";

export function Owner({ person }: { person: Person }) {
  const { t } = useSpeech();
  return (
    <>
      <div class="column main">
        <Listed from={businesses} empty={t("no_business")}>
          {(items) => items.map((business) => <BusinessCards key={business.id} business={business} />)}
        </Listed>
      </div>
      <div class="column side">
        <Feed tabs="activity" />
        <Conversations person={person} />
      </div>
    </>
  );
}

function BusinessCards({ business }: { business: Business }) {
  const { t } = useSpeech();
  const open = useCell(offerings.value) ?? [];
  const past = useCell(pastOfferings.value) ?? [];
  // One that was funded a moment ago is still in both.
  const offers = [...open, ...past.filter(({ id }) => !open.some((one) => one.id === id))].filter(
    (offering) => offering.business_id === business.id,
  );
  const invested = useCell(backers.value)?.get(business.id);
  return (
    <>
      <BusinessWallet business={business} />
      <Card title={t("my_offerings")} tabs="home" class="my-offers">
        {offers.length === 0 && <p class="empty">{t("no_my_offerings")}</p>}
        {offers.map((offering) => (
          <OwnOffer key={offering.id} offering={offering} />
        ))}
      </Card>
      <Card title={t("backed_by")} tabs="home offers" testId="backers">
        {invested?.length ? (
          <InvestmentList items={invested} by="investor" />
        ) : (
          <p class="empty">{t("no_backers")}</p>
        )}
      </Card>
    </>
  );
}

function BusinessWallet({ business }: { business: Business }) {
  const { t } = useSpeech();
  const wallets = business.wallets ?? [];
  if (wallets.length === 0) return null;
  return (
    <section class="card wallet" data-tabs="home" aria-label={t("business_wallet", { business: business.name })}>
      {wallets.map((wallet) => (
        <div class="purse" key={wallet.currency}>
          <h2>{t("business_wallet", { business: business.name })}</h2>
          <p class="sum">
            <Amount
              money={{ amount: wallet.available, currency: wallet.currency }}
              testId={`business-balance-${wallet.currency}`}
            />
          </p>
        </div>
      ))}
    </section>
  );
}

function OwnOffer({ offering }: { offering: Offering }) {
  useOfferingStream(offering.id);
  return (
    <article class="offer own" data-testid={`offer-${offering.id}`} data-state={offering.state}>
      <h3>{offering.title}</h3>
      <Progress raised={offering.raised} target={offering.target} />
      <OfferFacts offering={offering} open={offering.state === "open"} />
    </article>
  );
}
