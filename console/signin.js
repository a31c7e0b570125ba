// Who is at the console: on an engine with keys the owner of a key, else a name that the person enters.
import * as api from "./api.js";
import { dialog, fact, field, h, put, say } from "./dom.js";
import { problemBox } from "./verbs.js";

/** The form that takes a key. `done` is called after the sign-in. */
function form(done) {
  const input = h("input", { type: "password", id: "key", required: true, autofocus: true, autocomplete: "current-password", spellcheck: "false" });
  const wrong = h("div");
  let busy = false;
  return h("form", { onsubmit: async (event) => {
    event.preventDefault();
    if (busy || !input.value.trim()) return input.focus();
    busy = true;
    try {
      await api.signIn(input.value.trim());
      input.value = "";
      say(`You are signed in as ${api.userName()}.`);
      done();
    } catch (error) {
      put(wrong, problemBox(error));
      input.focus();
    } finally {
      busy = false;
    }
  } },
  field("Your key", input, "It begins with tsk_. The administrator makes one with “saga key create”. The console does not keep it."), wrong,
  h("div.actions", h("button.primary", { type: "submit" }, "Sign in")));
}

/** The page of a browser that has not signed in. */
export function signInPage(main, done) {
  main.replaceChildren(h("h1", "Sign in"), h("section", form(done)));
  main.querySelector("#key").focus();
}

let isOpen = false;
/** Asks again when the session has ended. The page behind the dialog keeps what a person has entered. */
export async function signInAgain(done) {
  if (isOpen) return;
  isOpen = true;
  await dialog("Sign in again", (close) => [h("p", "Your session has ended."), form(() => { close(); done(); })]);
  isOpen = false;
}

/** Shows who is signed in, with a way out. */
export function account() {
  const me = api.caller();
  return dialog(me.person, (close) => [
    h("dl.facts", fact("Roles", me.roles.join(", ")), fact("Key", h("code", me.key)), fact("Until", me.expiresAt),
      me.speaksForOthers && fact("Speaks for others", "yes")),
    h("div.actions", h("button", { type: "button", onclick: () => close() }, "Not now"),
      h("button.danger", { type: "button", id: "sign-out", onclick: async () => {
        await api.signOut();
        location.reload();
      } }, "Sign out"))]);
}
