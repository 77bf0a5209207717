import type { Subject } from "./mutation.js";

/** What leaves the program, and secrets that come from the environment. */
export const SHOWN: readonly Subject[] = [
  {
    file: "src/docker/childEnvironment.ts",
    tests: ["swarm.test.ts"],
    mutations: [
      { what: '  "REGISTRY_RAW_PASSWORD",\n', by: "", rule: "no program gets the password" },
      {
        what: '  "REGISTRY_S3_READER_SECRET_ACCESS_KEY",\n',
        by: "",
        rule: "no program gets the reader's key",
      },
      {
        what: '  "REGISTRY_NOTIFICATION_HEADERS",\n',
        by: "",
        rule: "no program gets the headers of receivers",
      },
      { what: '  "HEPHAESTUS_ALERT_URL",\n', by: "", rule: "no program gets the address of the alerts" },
      {
        what: "{ ...process.env, ...extra }",
        by: "{ ...extra, ...process.env }",
        rule: "what a command is given counts",
      },
    ],
  },
  {
    file: "src/credentials/operatorVariables.ts",
    tests: ["bucket.test.ts"],
    mutations: [
      {
        what: "files.length === 0 || files.length === kinds.length",
        by: "true",
        rule: "a reader with keys of its own has them",
      },
      {
        what: "if (!id && !secret) return undefined;",
        by: "if (!id || !secret) return undefined;",
        rule: "half a key is refused",
      },
      { what: "{1,128}$/", by: "{1,128}/", rule: "the id of a key has no line break" },
      { what: "{1,512}$/", by: "{1,512}/", rule: "a secret key has no line break" },
    ],
  },
  {
    file: "src/credentials/operatorVariables.ts",
    tests: ["credentials.test.ts"],
    mutations: [
      {
        what: "{0,4096}$/",
        by: "{0,4096}/",
        rule: "a value has no line break",
      },
      { what: "{1,100}$/", by: "{1,100}/", rule: "a name has no space" },
      {
        what: "if (!text) return undefined;",
        by: "if (text === undefined) return undefined;",
        rule: "an empty variable is not set",
      },
    ],
  },
  {
    file: "src/terminal/output.ts",
    tests: ["output.test.ts"],
    mutations: [
      { what: "\\p{Cf}", by: "", rule: "what turns the direction of text is shown by its number" },
      { what: "\\p{Zl}\\p{Zp}", by: "", rule: "a separator of lines is shown by its number" },
      {
        what: "text.replace(STEERING, byNumber);",
        by: "printable(text);",
        rule: "one line has no line break",
      },
      { what: "!process.env.NO_COLOR && stream", by: "stream", rule: "NO_COLOR is heard" },
      {
        what: "painter[colour](printable(text))",
        by: "painter[colour](text)",
        rule: "what is coloured steers nothing",
      },
    ],
  },
  {
    file: "src/credentials/operatorVariables.ts",
    tests: ["mirror.test.ts"],
    mutations: [
      {
        what: ".regex(/^[^:]+:./s,",
        by: ".regex(/^[^:]*:/s,",
        rule: "a login has a user and a password",
      },
      { what: "a < b ? -1 : 1", by: "a < b ? 1 : -1", rule: "the same logins are the same secret" },
      {
        what: "Object.keys(auths).length > 0",
        by: "Object.keys(auths).length >= 0",
        rule: "no logins are refused",
      },
    ],
  },
];
