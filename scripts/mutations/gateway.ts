import type { Subject } from "./mutation.js";

/** The gateway's script: what of the rules of access maps cannot do. */
export const GATEWAY: readonly Subject[] = [
  {
    file: "templates/gateway/access.js",
    tests: ["accessScript.test.ts", "publicScope.test.ts"],
    mutations: [
      {
        what: "if (granted === '*' || identity === 'ui' || identity === 'operator') {",
        by: "if (granted === '*' || identity === 'ui') {",
        rule: "the operator sees everything",
      },
      {
        what: "if (granted === '@' || identity[0] !== ',') {",
        by: "if (granted === '@') {",
        rule: "who has no login is no user",
        survives: "who has no login has no name either, which grants nothing below",
      },
      { what: "return identity[0] === ',';", by: "return true;", rule: "who has no login is not every user" },
      {
        what: "i === 1 ? `,${name},` : `,group:${name},`",
        by: "i === 0 ? `,${name},` : `,group:${name},`",
        rule: "the first name is the user's",
      },
      { what: "`,group:${name},`)", by: "`,${name},`)", rule: "a group is no user" },
      { what: "name !== '' && granted", by: "granted", rule: "no name is nobody" },
      {
        what: "? '(?:' : '(?='",
        by: "? '(?=' : '(?:'",
        rule: "a rule that does not grant hides its repositories",
      },
      { what: "i += 50) {", by: "i += 60) {", rule: "each rule counts, however many there are" },
      { what: "return found[0] !== '';", by: "return true;", rule: "the first rule that matches decides" },
      { what: "text.replace(/\\+/g, ' ')", by: "text", rule: "a plus is a space" },
      {
        what: "|| found[key] !== undefined) {",
        by: ") {",
        rule: "a parameter that stands twice is not clear",
      },
      { what: "|| pairs[i].indexOf(';') >= 0 ||", by: "||", rule: "a semicolon is not clear" },
      {
        what: "return source === undefined || puller(r.variables.identity)(source) ? uri",
        by: "return source === undefined || puller(r.variables.identity)(source) || true ? uri",
        rule: "nobody mounts from what they may not pull",
      },
      {
        what: "    if (query === undefined) {\n        return uri.slice(0, at);",
        by: "    if (query === undefined) {\n        return uri;",
        rule: "a query that is not clear mounts nothing",
      },
      {
        what: "scopes.length > 4",
        by: "scopes.length > 400",
        rule: "a login with many scopes compiles no rules",
      },
      { what: "parts[2] === 'pull' && mayPull", by: "mayPull", rule: "only pulls are public" },
      { what: "scopes.every((text)", by: "scopes.some((text)", rule: "each scope is public" },
      {
        what: "names.length <= wanted) {",
        by: "names.length < wanted) {",
        rule: "a page that is followed by another says so",
      },
      {
        what: "page.filter(mayPull).forEach",
        by: "page.forEach",
        rule: "the catalog names what the user may pull",
      },
      { what: "wanted <= {{catalogMost}} && Math", by: "Math", rule: "a page has no more than so many" },
      {
        what: "own === digest || children.indexOf(digest) >= 0",
        by: "own === digest",
        rule: "what an immutable index lists stays",
      },
      {
        what: "own === digest || children.indexOf(digest) >= 0",
        by: "children.indexOf(digest) >= 0",
        rule: "an immutable image stays",
      },
      {
        what: "                waiting.push(children[i]);\n",
        by: "",
        rule: "what an index within an index lists stays",
      },
      {
        what: "if (reply.status === 404) {",
        by: "if (reply.status >= 404) {",
        rule: "an answer that is missing allows no deletion",
      },
      {
        what: "if (parts[2] === 'blobs') {",
        by: "if (parts[2] === 'blob') {",
        rule: "where tags are immutable no blob is deleted",
      },
      {
        what: "reference.indexOf(':') < 0 && immutable.test(reference)",
        by: "immutable.test(reference) && false",
        rule: "an immutable tag is not deleted",
      },
      {
        what: "tags.filter((tag) => immutable.test(tag))",
        by: "[]",
        rule: "what an immutable tag names is not deleted",
      },
    ],
  },
];
