// Forms made from a JSON Schema. What a schema says beyond what a form can show is left to the engine, which checks it.
import { field, h, newID } from "./dom.js";
import { pretty } from "./format.js";

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
        return JSON.parse(area.value);
      } catch (error) {
        area.setAttribute("aria-invalid", "true");
        area.focus();
        throw new Error(`${label} can't be read: ${error.message}`, { cause: error });
      }
    },
  };
}

function objectForm(schema, value = {}) {
  const required = new Set(schema.required ?? []);
  const parts = Object.entries(schema.properties).map(([name, one]) =>
    ({ name, ...control(name, one, value?.[name] ?? one.default, required.has(name)) }));
  const element = h("div.form", parts.map((part) => part.element));
  return {
    element,
    read() {
      const result = {};
      for (const part of parts) {
        const one = part.read();
        if (one !== undefined) result[part.name] = one;
      }
      return result;
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
  const choices = schema.enum ?? (schema.const !== undefined ? [schema.const] : null);
  if (choices) {
    const select = h("select", { id: newID("field") },
      !isRequired && h("option", { value: "" }, "–"),
      choices.map((choice, index) =>
        h("option", { value: String(index), selected: choice === value }, typeof choice === "string" ? choice : pretty(choice))));
    return { element: field(label, select, schema.description), read: () => (select.value === "" ? undefined : choices[select.value]) };
  }
  if (schema.type === "boolean") {
    const select = h("select", { id: newID("field") }, !isRequired && h("option", { value: "" }, "–"),
      h("option", { value: "true", selected: value === true }, "yes"), h("option", { value: "false", selected: value === false }, "no"));
    return { element: field(label, select, schema.description), read: () => (select.value === "" ? undefined : select.value === "true") };
  }
  if (schema.type === "number" || schema.type === "integer") {
    const input = h("input", { type: "number", step: schema.type === "integer" ? 1 : "any", min: schema.minimum, max: schema.maximum,
      value: value ?? "", required: isRequired });
    return { element: field(label, input, schema.description), read() {
      if (input.value === "" && !input.validity.badInput) return isRequired ? fail(input, "is missing") : undefined;
      const number = Number(input.value);
      if (input.validity.badInput || !Number.isFinite(number)) fail(input, "is no number");
      if (schema.type === "integer" && !Number.isInteger(number)) fail(input, "is no whole number");
      return number;
    } };
  }
  if (schema.type === "string" || schema.type === undefined && schema.format) {
    const input = h("input", { type: schema.format === "email" ? "email" : "text", value: value ?? "", required: isRequired,
      maxlength: schema.maxLength, pattern: null, autocomplete: "off" });
    return { element: field(label, input, schema.description), read() {
      if (input.value === "") return isRequired && (schema.minLength ?? 1) > 0 ? fail(input, "is missing") : isRequired ? "" : undefined;
      return input.value;
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
      return JSON.parse(area.value);
    } catch (error) {
      return fail(area, `can't be read as JSON (${error.message})`);
    }
  } };
}
