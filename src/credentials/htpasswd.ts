import bcrypt from "bcryptjs";
import { ExitCode, OperatorError } from "../errors.js";
import { Secret } from "./secret.js";
import { isReserved } from "./userNames.js";

/** bcrypt reads 72 bytes of a password and ignores the rest. */
const MOST_PASSWORD_BYTES = 72;

const BCRYPT_HASH = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;

export interface HtpasswdEntry {
  user: string;
  hash: string;
  /** The first day, in UTC, on which the user is refused: YYYY-MM-DD. */
  until?: string;
  /** What the user is for, in one line. */
  note?: string;
}

/**
 * A comment line that says when a user ends, or what the user is for: `# until ci 20270301`, `# note ci
 * builds`. The registry skips comments, and its start script reads the ends; see services/registry.ts.
 */
const REMARK = /^# (until|note) ([a-zA-Z0-9][a-zA-Z0-9._@-]*) (.+)$/;
const COMPACT_DAY = /^(\d{4})(\d\d)(\d\d)$/;

const refuse = (message: string, where: string, remedy: string) =>
  new OperatorError(message, { where, remedy, exitCode: ExitCode.credentials });

/**
 * Reads an htpasswd. Empty lines and comments are skipped, but for those that say when a user ends and what
 * for.
 *
 * @param source the file's text; a hash never appears in an error
 * @param where what to call it in errors, such as REGISTRY_HTPASSWD
 * @param machines whether it may hold machine accounts: those of the Swarm do
 * @throws OperatorError naming the first line that the registry would not take
 */
export function parseHtpasswd(source: Secret, where: string, machines = false): HtpasswdEntry[] {
  const entries: HtpasswdEntry[] = [];
  const remarks = new Map<string, Pick<HtpasswdEntry, "until" | "note">>();
  for (const [index, raw] of source.reveal().split(/\r?\n/).entries()) {
    const line = raw.trim();
    if (line.startsWith("#")) readRemark(line, remarks);
    if (line === "" || line.startsWith("#")) continue;
    const place = `${where}, line ${index + 1}`;
    const colon = line.indexOf(":");
    if (colon < 1)
      throw refuse("is not of the form user:hash", place, "Write a line with: htpasswd -nBC 12 USER");
    const [user, hash] = [line.slice(0, colon), line.slice(colon + 1)];
    if (!machines && isReserved(user)) {
      throw refuse(
        `the user ${user} is reserved for accounts of the stack`,
        place,
        "Choose another user name.",
      );
    }
    if (!BCRYPT_HASH.test(hash)) {
      const remedy = `The registry takes bcrypt only. Write the line with: htpasswd -nBC 12 ${user}`;
      throw refuse(`the hash of user ${user} is not bcrypt`, place, remedy);
    }
    entries.push({ user, hash });
  }
  if (entries.length === 0) throw refuse("has no user", where, "Write a line with: htpasswd -nBC 12 USER");
  return entries.map((entry) => ({ ...entry, ...remarks.get(entry.user) }));
}

function readRemark(line: string, remarks: Map<string, Pick<HtpasswdEntry, "until" | "note">>): void {
  const [, kind, user = "", value = ""] = REMARK.exec(line) ?? [];
  const day = COMPACT_DAY.test(value) ? value.replace(COMPACT_DAY, "$1-$2-$3") : undefined;
  if (kind === "note") remarks.set(user, { ...remarks.get(user), note: value });
  if (kind === "until" && day !== undefined) remarks.set(user, { ...remarks.get(user), until: day });
}

/** The bcrypt cost of an entry: log2 of its rounds. */
export const bcryptCost = ({ hash }: HtpasswdEntry): number => Number(BCRYPT_HASH.exec(hash)?.[1]);

/** The htpasswd's text, with when users end and what for as comments. */
export function formatHtpasswd(entries: readonly HtpasswdEntry[]): Secret {
  const remarks = entries.flatMap(({ user, until, note }) => [
    ...(until === undefined ? [] : [`# until ${user} ${until.replaceAll("-", "")}\n`]),
    ...(note === undefined ? [] : [`# note ${user} ${note}\n`]),
  ]);
  return new Secret([...remarks, ...entries.map(({ user, hash }) => `${user}:${hash}\n`)].join(""));
}

/** Whether the password opens the account; the last line of a name counts, as in the registry. */
export function verifyPassword(entries: readonly HtpasswdEntry[], user: string, password: Secret): boolean {
  const entry = entries.findLast((candidate) => candidate.user === user);
  return entry !== undefined && bcrypt.compareSync(password.reveal(), entry.hash);
}

/**
 * An htpasswd entry for a password.
 *
 * @param cost bcrypt's log2 of rounds
 * @throws OperatorError when the password is empty, has line breaks, or is longer than bcrypt reads
 */
export function htpasswdEntry(user: string, password: Secret, cost: number): HtpasswdEntry {
  return { user, hash: bcrypt.hashSync(checkPassword(password).reveal(), cost) };
}

/** The password itself, when bcrypt and HTTP Basic can carry it. */
export function checkPassword(password: Secret): Secret {
  const value = password.reveal();
  const fault =
    value === ""
      ? "is empty"
      : /\p{Cc}/u.test(value)
        ? "holds a line break or another control character"
        : Buffer.byteLength(value) > MOST_PASSWORD_BYTES
          ? `is longer than the ${MOST_PASSWORD_BYTES} bytes that bcrypt reads`
          : undefined;
  if (fault)
    throw refuse(`the password ${fault}`, "password", "Choose another one, or let hephaestus generate it.");
  return password;
}
