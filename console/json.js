// Reads and writes JSON exactly. JSON.parse rounds 3544790567247868102 and reads 1.10 as 1.1.
// Every value from the engine and to the engine is read and written here; a test checks the other files.

/** A number that a JavaScript number cannot show as it was written. It keeps its text. */
export class ExactNumber {
  constructor(text) {
    this.text = text;
    Object.freeze(this);
  }
  toString() {
    return this.text;
  }
  /** The nearest JavaScript number, for arithmetic on a screen. Never sent. */
  valueOf() {
    return Number(this.text);
  }
  /** Throws, so that JSON.stringify does not write it as text. */
  toJSON() {
    throw new TypeError("Only write() in json.js can write an exact number.");
  }
}

const grammar = /^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?$/;

/** A JSON number from its text: a JavaScript number if that writes the same text again, otherwise an ExactNumber; null if the text is not a number. */
export function exactNumber(text) {
  if (!grammar.test(text)) return null;
  const value = Number(text);
  return String(value) === text ? value : new ExactNumber(text);
}

/** Whether it is a number, in either form. */
export const isNumber = (value) => typeof value === "number" || value instanceof ExactNumber;

/** The nearest JavaScript number of a value or of a control's text, for drawings and comparisons; NaN if there is none. */
export const nearest = (value) => (typeof value === "string" && value.trim() === "" ? NaN : Number(value));

/** Whether a number's text has no fraction, whatever its size: 2, 2.0 and 20e-1 have none. */
export function isWhole(value) {
  const [, digits, fraction = "", exponent = "0"] = /^-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/.exec(String(value)) ?? [];
  if (digits === undefined) return false;
  const significant = (digits + fraction).replace(/0+$/, "");
  if (!/[1-9]/.test(significant)) return true;
  // Digits behind the point that count, before the exponent moves it.
  const behind = fraction.length - (digits.length + fraction.length - significant.length);
  return BigInt(exponent) >= BigInt(behind);
}

// JavaScript moves names that look like array indices to the front of an object, so the order is stored beside it.
const order = Symbol("order");
const index = /^(?:0|[1-9][0-9]*)$/;

// Inherits nothing, so that every name is a member, also __proto__ and constructor.
function Members() {}
Members.prototype = Object.create(null);

/** An object with these members in this order. */
export function members(entries) {
  const object = new Members();
  for (const [name, value] of entries) object[name] = value;
  return ordered(object, entries.map(([name]) => name));
}

function ordered(object, names) {
  if (names.some((name) => index.test(name))) Object.defineProperty(object, order, { value: names });
  return object;
}

/** An object's names in the order in which they were written. */
export function namesOf(object) {
  const names = Object.keys(object);
  const kept = object[order];
  return kept && kept.length === names.length && kept.every((name) => Object.hasOwn(object, name)) ? kept : names;
}

/** The text is not JSON; the message begins with the place. */
export class NotJSON extends Error {
  constructor(message, text, at) {
    const before = text.slice(0, at).split("\n");
    super(`Line ${before.length}, column ${[...before.at(-1)].length + 1}: ${message}`);
  }
}

// As deep as the engine reads.
const deepest = 512;
const space = /[ \t\n\r]*/y;
const plain = /[^"\\\u0000-\u001f]*/y;
const token = /-?[0-9][0-9.eE+-]*/y;
const half = /\p{Surrogate}/u;
const escapes = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

/** Reads a JSON text. Throws NotJSON, with a place, for every text that the engine refuses too: a name that comes twice, half a character. */
export function read(text) {
  let at = 0;
  const fail = (message, where = at) => { throw new NotJSON(message, text, where); };
  const take = (pattern) => {
    pattern.lastIndex = at;
    const found = pattern.exec(text)[0];
    at += found.length;
    return found;
  };
  const here = () => (at < text.length ? `“${String.fromCodePoint(text.codePointAt(at))}”` : "the end of the text");

  const string = () => {
    const start = at;
    at += 1;
    let value = "";
    for (;;) {
      value += take(plain);
      if (at >= text.length) fail("The string that begins here is not closed.", start);
      if (text[at] === '"') break;
      if (text[at] !== "\\") fail("A string has a control character; write it as \\n, \\t or \\u001f.");
      const escape = text[at + 1];
      if (escape === "u") {
        const digits = text.slice(at + 2, at + 6);
        if (!/^[0-9a-fA-F]{4}$/.test(digits)) fail("\\u is followed by four hexadecimal digits.");
        value += String.fromCharCode(parseInt(digits, 16));
        at += 6;
      } else if (Object.hasOwn(escapes, escape ?? "")) {
        value += escapes[escape];
        at += 2;
      } else fail('After a backslash comes one of " \\ / b f n r t u.');
    }
    at += 1;
    if (half.test(value)) fail("The string has one half of a surrogate pair without its other half.", start);
    return value;
  };

  const number = () => {
    const start = at;
    token.lastIndex = at;
    const found = token.exec(text)?.[0] ?? "-";
    at += found.length;
    return exactNumber(found) ?? fail(`${found.slice(0, 40)} is not a JSON number.`, start);
  };

  const word = (name, value) => {
    if (!text.startsWith(name, at)) fail(`A value was expected, not ${here()}.`);
    at += name.length;
    return value;
  };

  const list = (depth) => {
    const values = [];
    at += 1;
    take(space);
    if (text[at] === "]") {
      at += 1;
      return values;
    }
    for (;;) {
      values.push(value(depth));
      take(space);
      if (text[at] === "]") break;
      if (text[at] !== ",") fail(`A comma or ] was expected, not ${here()}.`);
      at += 1;
      take(space);
    }
    at += 1;
    return values;
  };

  const object = (depth) => {
    const object = new Members();
    const names = [];
    at += 1;
    take(space);
    if (text[at] === "}") {
      at += 1;
      return object;
    }
    for (;;) {
      if (text[at] !== '"') fail(`A name in double quotes was expected, not ${here()}.`);
      const place = at;
      const name = string();
      if (name in object) fail(`The name “${name}” comes twice.`, place);
      names.push(name);
      take(space);
      if (text[at] !== ":") fail(`A colon was expected, not ${here()}.`);
      at += 1;
      take(space);
      object[name] = value(depth);
      take(space);
      if (text[at] === "}") break;
      if (text[at] !== ",") fail(`A comma or } was expected, not ${here()}.`);
      at += 1;
      take(space);
    }
    at += 1;
    return ordered(object, names);
  };

  const value = (depth) => {
    if (depth > deepest) fail(`The text is nested more than ${deepest} deep.`);
    switch (text[at]) {
      case "{": return object(depth + 1);
      case "[": return list(depth + 1);
      case '"': return string();
      case "t": return word("true", true);
      case "f": return word("false", false);
      case "n": return word("null", null);
      case undefined: return fail("The text ends where a value was expected.");
      default: return /[-0-9]/.test(text[at]) ? number() : fail(`A value was expected, not ${here()}.`);
    }
  };

  take(space);
  const result = value(0);
  take(space);
  if (at < text.length) fail(`The value ends before ${here()}.`);
  return result;
}

/**
 * Writes a value as JSON text: numbers as they were read, members in their order. A member that is undefined is left out.
 * @param indent spaces for each level; null for one line without spaces.
 * @param text writes a string; JSON.stringify by default.
 */
export function write(value, indent = null, text = JSON.stringify) {
  const parts = [];
  const line = (depth) => { if (indent !== null) parts.push("\n", " ".repeat(indent * depth)); };
  const put = (one, depth) => {
    if (one === null || typeof one === "boolean") parts.push(String(one));
    else if (typeof one === "string") parts.push(text(one));
    else if (one instanceof ExactNumber) parts.push(one.text);
    else if (typeof one === "number") {
      if (!Number.isFinite(one)) throw new TypeError(`JSON has no number for ${one}.`);
      parts.push(Object.is(one, -0) ? "-0" : String(one));
    } else if (Array.isArray(one)) {
      parts.push("[");
      one.forEach((item, place) => {
        if (place) parts.push(",");
        line(depth + 1);
        put(item === undefined ? null : item, depth + 1);
      });
      if (one.length) line(depth);
      parts.push("]");
    } else if (typeof one === "object") {
      const names = namesOf(one).filter((name) => one[name] !== undefined);
      parts.push("{");
      names.forEach((name, place) => {
        if (place) parts.push(",");
        line(depth + 1);
        parts.push(text(name), indent === null ? ":" : ": ");
        put(one[name], depth + 1);
      });
      if (names.length) line(depth);
      parts.push("}");
    } else throw new TypeError(`JSON has no value for ${typeof one}.`);
  };
  put(value, 0);
  return parts.join("");
}

// Characters that are invisible or change the direction of text: control characters, direction marks, spaces without width.
const unseen = /[\u007f-\u009f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g;
/** The text with an escape in place of each such character. */
export const shownText = (text) => text.replace(unseen, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, "0")}`);
const visible = (text) => shownText(JSON.stringify(text));

/** JSON text for people, which reads back as the same value. An invisible character is written as an escape. */
export const pretty = (value) => (value === undefined ? "" : write(value, 2, visible));
