// Paystack's hosted checkout in the sandbox: shows one transaction and lets a person decide it.
const base = location.pathname.replace(/\/$/, "");
const element = (id) => document.getElementById(id);

function say(text) {
  element("status").textContent = text;
}

function formatAmount(amount, currency) {
  // Every currency Paystack collects here has two decimals.
  return new Intl.NumberFormat("en", { style: "currency", currency }).format(amount / 100);
}

function settled(transaction) {
  element("choices").hidden = true;
  say("Paid. Thank you!");
  if (transaction.redirect_url) {
    element("back").href = transaction.redirect_url;
    element("back").hidden = false;
  }
}

async function show() {
  const answer = await fetch(`${base}/transaction`);
  if (!answer.ok) {
    say("This checkout page does not exist any more.");
    return;
  }
  const transaction = await answer.json();
  element("amount").textContent = formatAmount(transaction.amount, transaction.currency);
  element("email").textContent = transaction.email;
  element("reference").textContent = transaction.reference;
  element("pay").textContent = `Pay ${element("amount").textContent}`;
  if (transaction.status === "success") {
    settled(transaction);
  } else {
    element("choices").hidden = false;
  }
}

async function decide(what) {
  const buttons = [...document.querySelectorAll("#choices button")];
  buttons.forEach((button) => (button.disabled = true));
  say("One moment…");
  try {
    const answer = await fetch(`${base}/${what}`, { method: "POST" });
    const result = await answer.json();
    if (!answer.ok) {
      say(result.detail);
    } else if (result.redirect_url) {
      location.assign(result.redirect_url);
    } else if (result.status === "success") {
      settled(result);
    } else if (result.status === "failed") {
      say("The bank declined. You may try again.");
    } else {
      say("You left without paying. You can close this page, or pay after all.");
    }
  } catch {
    say("The sandbox does not answer. Try again.");
  } finally {
    buttons.forEach((button) => (button.disabled = false));
  }
}

for (const what of ["pay", "fail", "abandon"]) {
  element(what).addEventListener("click", () => decide(what));
}
await show();
