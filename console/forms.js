// Forms made from a JSON Schema. The engine checks the rules of a schema that a form cannot show.
// The form sends what was typed: it has no control that rounds numbers or rewrites text.
import { field, h, newID } from "./dom.js";
import { exactNumber, isWhole, members, namesOf, pretty, read, write } from "./json.js";

/**
 * A form's control for a schema: { element, read() }. `read` throws an Error that says what is wrong. It begins empty: the form
 * sends nothing that a person has not entered or chosen. A `default` of the schema is a button beside the field.
 */
export function formFor(schema) {
  if (schema && schema.type === "object" && schema.properties && Object.keys(schema.properties).length) return objectForm(schema);
  const isList = schema?.type === "array";
  return jsonForm("JSON", { placeholder: isList ? "[]" : "{}", empty: schema ? undefined : members([]) });
}

/**
 * A JSON text area.
 * @param value the text that it begins with, undefined for none
 * @param empty what an empty field means; undefined: a person must enter something
 */
export function jsonForm(label, { value, placeholder = "{}", empty } = {}) {
  const area = h("textarea.code", { rows: 8, spellcheck: "false", value: pretty(value), placeholder });
  const fail = (why, cause) => {
    area.setAttribute("aria-invalid", "true");
    area.focus();
    throw new Error(`${label} ${why}`, { cause });
  };
  return {
    element: field(label, area, value !== undefined ? null : empty !== undefined ? "Leave it empty if there is nothing to send." : `Enter ${placeholder} if there is nothing to say.`),
    read() {
      if (area.value.trim() === "") return empty ?? fail(`is missing. Enter ${placeholder} if there is nothing to say.`);
      try {
        const value = read(area.value);
        area.removeAttribute("aria-invalid");
        return value;
      } catch (error) {
        return fail(`cannot be read: ${error.message}`, error);
      }
    },
  };
}

function objectForm(schema) {
  const required = new Set(schema.required ?? []);
  const parts = namesOf(schema.properties).map((name) => [name, schema.properties[name]]).map(([name, one]) =>
    ({ name, ...control(name, one, required.has(name)) }));
  const element = h("div.form", parts.map((part) => part.element));
  return {
    element,
    read() {
      return members(parts.map((part) => [part.name, part.read()]).filter(([, one]) => one !== undefined));
    },
  };
}

/** The control of one member. With a default, a button under it enters the default. */
function control(name, schema, isRequired) {
  const one = bareControl(name, schema, isRequired);
  if (schema.default === undefined || !one.enter) return one;
  const shown = typeof schema.default === "string" ? schema.default : write(schema.default);
  one.element.append(h("button.plain.offer", { type: "button", "aria-label": `Use the default of ${schema.title ?? name}: ${shown}`,
    onclick: () => one.enter(schema.default) }, `Use the default: ${shown.length > 60 ? `${shown.slice(0, 60)}…` : shown}`));
  return one;
}

/** A list of choices, of which none is chosen. `values` has [value, text]. */
function choiceOf(label, values, schema, isRequired, fail) {
  const select = h("select", { id: newID("field"), required: isRequired }, h("option", { value: "" }, "Choose …"),
    values.map(([value, text]) => h("option", { value: write(value) }, text)));
  return { element: field(label, select, schema.description), enter(value) { select.value = write(value); },
    read: () => (select.value !== "" ? values.find(([one]) => write(one) === select.value)[0]
      : isRequired ? fail(select, "is missing: choose one") : undefined) };
}

function bareControl(name, schema, isRequired) {
  const label = `${schema.title ?? name}${isRequired ? "" : " (optional)"}`;
  const fail = (input, what) => {
    input.setAttribute("aria-invalid", "true");
    input.addEventListener("input", () => input.removeAttribute("aria-invalid"), { once: true });
    input.focus();
    throw new Error(`${name} ${what}.`);
  };
  const example = Array.isArray(schema.examples) ? schema.examples[0] : undefined;
  const placeholder = example === undefined ? null : typeof example === "string" ? example : write(example);
  const choices = schema.enum ?? (schema.const !== undefined ? [schema.const] : null);
  if (choices) return choiceOf(label, choices.map((one) => [one, typeof one === "string" ? one : pretty(one)]), schema, isRequired, fail);
  if (schema.type === "boolean") return choiceOf(label, [[true, "yes"], [false, "no"]], schema, isRequired, fail);
  if (schema.type === "number" || schema.type === "integer") {
    // A control of type number rounds numbers when its arrows or the mouse wheel change them.
    const input = h("input", { type: "text", inputmode: schema.type === "integer" ? "numeric" : "decimal",
      placeholder, required: isRequired, autocomplete: "off", spellcheck: "false" });
    return { element: field(label, input, schema.description), enter(value) { input.value = String(value); }, read() {
      const text = input.value.trim();
      if (text === "") return isRequired ? fail(input, "is missing") : undefined;
      const number = exactNumber(text);
      if (number === null) fail(input, "must be a number such as 4.5, with a point and without spaces");
      if (schema.type === "integer" && !isWhole(number)) fail(input, "must be a whole number");
      return number;
    } };
  }
  if (schema.type === "string" || schema.type === undefined && schema.format) {
    // A control of type email rewrites addresses, and one of one line drops line breaks. The engine counts characters, not halves
    // of them, so that it is the one that says what is too long.
    const isLong = /[\r\n]/.test(schema.default ?? "");
    const input = isLong ? h("textarea", { rows: 3, required: isRequired })
      : h("input", { type: "text", inputmode: schema.format === "email" ? "email" : null, placeholder, required: isRequired, autocomplete: "off" });
    // A text area has its own line breaks: what was entered from the default is sent as it is.
    let given = null;
    return { element: field(label, input, schema.description), enter(value) {
      input.value = String(value);
      given = { shown: input.value, value: String(value) };
    }, read() {
      if (input.value === "") return isRequired && (schema.minLength ?? 1) > 0 ? fail(input, "is missing") : isRequired ? "" : undefined;
      return input.value === given?.shown ? given.value : input.value;
    } };
  }
  if (schema.type === "object" && schema.properties) {
    const inner = objectForm(schema);
    const controls = [...inner.element.querySelectorAll("input, select, textarea")];
    // An object that may be left out is, when all of it is empty.
    if (!isRequired) for (const one of controls) one.required = false;
    return { element: h("fieldset", h("legend", label), inner.element),
      read: () => (!isRequired && controls.every((one) => one.value === "") ? undefined : inner.read()) };
  }
  // A list, or a value of any shape.
  const area = h("textarea.code", { rows: 3, spellcheck: "false", placeholder: placeholder ?? (schema.type === "array" ? "[]" : null) });
  return { element: field(label, area, schema.description ?? "JSON"), enter(value) { area.value = pretty(value); }, read() {
    if (area.value.trim() === "") return isRequired ? fail(area, "is missing") : undefined;
    try {
      return read(area.value);
    } catch (error) {
      return fail(area, `is not JSON (${error.message})`);
    }
  } };
}
