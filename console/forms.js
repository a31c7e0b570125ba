// Forms made from a JSON Schema. The engine checks the rules of a schema that a form cannot show.
// The form sends what was typed: it has no control that rounds numbers or rewrites text.
import { field, h, newID } from "./dom.js";
import { exactNumber, isWhole, members, namesOf, pretty, read, write } from "./json.js";

/** A form's control for a schema: { element, read() }. `read` throws an Error that says what is wrong. */
export function formFor(schema, value) {
  if (schema && schema.type === "object" && schema.properties && Object.keys(schema.properties).length) {
    return objectForm(schema, value);
  }
  return jsonForm(value ?? (schema?.type === "array" ? [] : {}), "JSON");
}

/** A JSON text area. */
export function jsonForm(value, label) {
  const area = h("textarea.code", { rows: 8, spellcheck: "false", value: pretty(value) });
  return {
    element: field(label, area),
    read() {
      try {
        const value = read(area.value);
        area.removeAttribute("aria-invalid");
        return value;
      } catch (error) {
        area.setAttribute("aria-invalid", "true");
        area.focus();
        throw new Error(`${label} cannot be read: ${error.message}`, { cause: error });
      }
    },
  };
}

function objectForm(schema, value = {}) {
  const required = new Set(schema.required ?? []);
  const parts = namesOf(schema.properties).map((name) => [name, schema.properties[name]]).map(([name, one]) =>
    ({ name, ...control(name, one, value?.[name] ?? one.default, required.has(name)) }));
  const element = h("div.form", parts.map((part) => part.element));
  return {
    element,
    read() {
      return members(parts.map((part) => [part.name, part.read()]).filter(([, one]) => one !== undefined));
    },
  };
}

function control(name, schema, value, isRequired) {
  const label = `${schema.title ?? name}${isRequired ? "" : " (optional)"}`;
  const fail = (input, what) => {
    input.setAttribute("aria-invalid", "true");
    input.focus();
    throw new Error(`${name} ${what}.`);
  };
  const example = Array.isArray(schema.examples) ? schema.examples[0] : undefined;
  const placeholder = example === undefined ? null : typeof example === "string" ? example : write(example);
  const choices = schema.enum ?? (schema.const !== undefined ? [schema.const] : null);
  if (choices) {
    const select = h("select", { id: newID("field") },
      !isRequired && h("option", { value: "" }, "–"),
      choices.map((choice, index) =>
        h("option", { value: String(index), selected: value !== undefined && write(choice) === write(value) }, typeof choice === "string" ? choice : pretty(choice))));
    return { element: field(label, select, schema.description), read: () => (select.value === "" ? undefined : choices[select.value]) };
  }
  if (schema.type === "boolean") {
    const select = h("select", { id: newID("field") }, !isRequired && h("option", { value: "" }, "–"),
      h("option", { value: "true", selected: value === true }, "yes"), h("option", { value: "false", selected: value === false }, "no"));
    return { element: field(label, select, schema.description), read: () => (select.value === "" ? undefined : select.value === "true") };
  }
  if (schema.type === "number" || schema.type === "integer") {
    // A control of type number rounds numbers when its arrows or the mouse wheel change them.
    const input = h("input", { type: "text", inputmode: schema.type === "integer" ? "numeric" : "decimal",
      value: value === undefined || value === null ? "" : String(value), placeholder, required: isRequired, autocomplete: "off", spellcheck: "false" });
    return { element: field(label, input, schema.description), read() {
      const text = input.value.trim();
      if (text === "") return isRequired ? fail(input, "is missing") : undefined;
      const number = exactNumber(text);
      if (number === null) fail(input, "must be a number such as 4.5, with a point and without spaces");
      if (schema.type === "integer" && !isWhole(number)) fail(input, "must be a whole number");
      return number;
    } };
  }
  if (schema.type === "string" || schema.type === undefined && schema.format) {
    const given = typeof value === "string" ? value : "";
    // A control of type email rewrites addresses, and one of one line drops line breaks. The engine counts characters, not halves
    // of them, so that it is the one that says what is too long.
    const input = /[\r\n]/.test(given) ? h("textarea", { rows: 3, value: given, required: isRequired })
      : h("input", { type: "text", inputmode: schema.format === "email" ? "email" : null, value: given, placeholder, required: isRequired, autocomplete: "off" });
    const shown = input.value;
    return { element: field(label, input, schema.description), read() {
      if (input.value === "") return isRequired && (schema.minLength ?? 1) > 0 ? fail(input, "is missing") : isRequired ? "" : undefined;
      return input.value === shown ? given : input.value;
    } };
  }
  if (schema.type === "object" && schema.properties) {
    const inner = objectForm(schema, value);
    return { element: h("fieldset", h("legend", label), inner.element), read: inner.read };
  }
  // A list, or a value of any shape.
  const area = h("textarea.code", { rows: 3, spellcheck: "false",
    value: value === undefined ? (schema.type === "array" ? "[]" : "") : pretty(value) });
  return { element: field(label, area, schema.description ?? "JSON"), read() {
    if (area.value.trim() === "") return isRequired ? fail(area, "is missing") : undefined;
    try {
      return read(area.value);
    } catch (error) {
      return fail(area, `is not JSON (${error.message})`);
    }
  } };
}
