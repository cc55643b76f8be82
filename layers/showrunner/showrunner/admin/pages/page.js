"use strict";
// Sends the forms of the pages that emails link to. The token comes after the # of the address, which no server
// sees; it is removed from the address bar at once.
const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);
const state = document.querySelector("[role=status]");

function show(text, good) {
  state.textContent = text;
  state.className = good ? "good" : "bad";
}

async function send(form) {
  const body = Object.fromEntries(new FormData(form));
  body[form.dataset.token] = token;
  const response = await fetch(form.dataset.post, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const answer = await response.json();
  if (!response.ok) {
    const details = answer.error.details.map((each) => `${each.field}: ${each.message}`);
    return show([answer.error.message, ...details].join(" "), false);
  }
  for (const each of document.forms) each.hidden = true;
  show(answer.message || "The account is ready: log in with it.", true);
}

for (const form of document.forms) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await send(form);
    } catch {
      show("The server doesn't answer: try again in a minute.", false);
    }
    button.disabled = false;
  });
}
if (!token) {
  for (const each of document.forms) each.hidden = true;
  show("The address is not complete: open the link in the email again.", false);
}
