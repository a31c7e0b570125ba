// Who is at the console: the owner of a key, a person whom an OpenID provider knows, or a name that the person enters.
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

/** The way to the OpenID provider. The browser leaves the page; the address keeps the place to which it returns. */
function atProvider(provider) {
  const wrong = h("div");
  let busy = false;
  return h("div", h("div.actions", h("button.primary", { type: "button", id: "provider", onclick: async () => {
    if (busy) return;
    busy = true;
    try {
      const page = await api.beginSignIn();
      sessionStorage.setItem("saga.place", location.hash);
      location.assign(page);
    } catch (error) {
      put(wrong, problemBox(error));
      busy = false;
    }
  } }, `Sign in at ${new URL(provider).host}`)), wrong);
}

/** The ways to sign in that this engine has. */
async function ways(done) {
  const options = await api.signInOptions();
  return [options.provider && atProvider(options.provider), (options.key || !options.provider) && form(done)];
}

/** The page of a browser that has not signed in. `problem` says why a sign-in at the provider has failed. */
export async function signInPage(main, done, problem) {
  const shown = h("section");
  main.replaceChildren(h("h1", "Sign in"), shown);
  try {
    put(shown, problem && problemBox(problem), await ways(done));
  } catch (error) {
    put(shown, problemBox(error));
  }
  main.querySelector("#provider, #key")?.focus();
}

/**
 * Ends a sign-in when the provider has sent the browser back. Returns the problem of a sign-in that failed.
 * The code leaves the address first, so that neither the history nor a reload has it.
 */
export async function returnFromProvider() {
  const answer = new URLSearchParams(location.search);
  const place = sessionStorage.getItem("saga.place");
  // Only in the tab that went to the provider. Some providers leave the state out of an error.
  if (place === null || !(answer.has("error") || (answer.has("code") && answer.has("state")))) return null;
  history.replaceState(null, "", `/${place}`);
  sessionStorage.removeItem("saga.place");
  if (answer.has("error")) {
    const why = { access_denied: "The sign-in was declined." }[answer.get("error")] ?? "The provider could not sign you in.";
    return new api.Problem(0, { code: "access.signInFailed", title: "The sign-in failed", detail: why, type: "/errors/access.signInFailed" });
  }
  try {
    await api.finishSignIn(answer.get("code"), answer.get("state"));
    return null;
  } catch (error) {
    return error;
  }
}

/** Goes on when another tab has signed in. */
function again(done) {
  const wrong = h("div");
  return h("div", h("div.actions", h("button.primary", { type: "button", id: "again", onclick: async () => {
    try {
      await api.whoAmI();
      done();
    } catch (error) {
      put(wrong, problemBox(error));
    }
  } }, "Continue")), wrong);
}

let isOpen = false;
/** Asks again when the session has ended. The page behind the dialog keeps what a person has entered. */
export async function signInAgain(done) {
  if (isOpen) return;
  isOpen = true;
  let ends = () => {};
  const before = api.sessionCount();
  try {
    const options = await api.signInOptions();
    if (api.sessionCount() !== before) return;
    await dialog("Sign in again", (close) => {
      // Another tab has signed in, and the page goes on by itself.
      ends = () => close();
      addEventListener("saga-signed-in", ends);
      return [h("p", "Your session has ended."),
      // The provider's page replaces this one, and a person may have entered something here.
      options.provider && h("p", h("a", { href: "/", target: "_blank", id: "provider-tab" }, `Sign in at ${new URL(options.provider).host} in another tab`), ", then continue here."),
      options.provider && again(() => { close(); done(); }),
      (options.key || !options.provider) && form(() => { close(); done(); })];
    }, { stays: true });
  } finally {
    removeEventListener("saga-signed-in", ends);
    isOpen = false;
  }
}

/** Shows who is signed in, with a way out. */
export function account() {
  const me = api.caller();
  return dialog(me.person, (close) => [
    h("dl.facts", fact("Roles", me.roles.join(", ")), me.labRoles && fact("In the laboratory", me.labRoles.join(", ")), me.key && fact("Key", h("code", me.key)), me.subject && fact("At the provider", h("code", me.subject)), fact("Until", me.expiresAt),
      me.speaksForOthers && fact("Speaks for others", "yes")),
    h("div.actions", h("button", { type: "button", onclick: () => close() }, "Not now"),
      h("button.danger", { type: "button", id: "sign-out", onclick: async () => {
        await api.signOut();
        location.reload();
      } }, "Sign out"))]);
}
