import Handlebars from "handlebars";

/**
 * A template with its values. An unknown name in the template is an error; nothing is escaped, because the schema
 * let no value through that could end the place it stands in.
 */
export function fill(template: string, values: Readonly<Record<string, unknown>>): string {
  return Handlebars.compile(template, { strict: true, noEscape: true })(values);
}
