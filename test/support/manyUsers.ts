/** As many users with an end as fit into the Swarm secret that holds them. All have one hash. */
const USERS = Array.from({ length: 5000 }, (_, index) => `user-${String(index).padStart(4, "0")}`);

/** Whose account has ended. */
export const ENDED = "user-0000";
export const LAST = "user-4999";

/** @returns the lines of an htpasswd with all of them behind */
export function withManyUsers(htpasswd: string, hash: string): string {
  const ends = USERS.map((user) => `# until ${user} ${user === ENDED ? "20260101" : "20991231"}\n`);
  return [...ends, `${htpasswd}\n`, ...USERS.map((user) => `${user}:${hash}\n`)].join("");
}
