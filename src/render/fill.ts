import Handlebars, { type TemplateDelegate } from "handlebars";

/** Compiling a template takes twenty times as long as filling it. */
const compiled = new Map<string, TemplateDelegate>();

/**
 * A template with its values. An unknown name in the template is an error; nothing is escaped, because the
 * schema let no value through that could end the place it stands in.
 */
export function fill(template: string, values: Readonly<Record<string, unknown>>): string {
  const known = compiled.get(template) ?? Handlebars.compile(template, { strict: true, noEscape: true });
  compiled.set(template, known);
  return known(values);
}
