import { readdirSync, readFileSync } from "node:fs";

export interface ProcessWatch {
  /** The process that was given the secrets in its environment, so that they are expected there. */
  expectIn(pid: number): void;
  /**
   * Ends the watch: where a secret was seen, as "environ of docker".
   *
   * @throws Error if it did not see the secret where it is expected
   */
  stop(): string[];
}

/** Looks at the command lines and environments of all processes, again and again, for the given secrets. */
export function watchProcesses(secrets: readonly string[]): ProcessWatch {
  const expected = new Set([process.pid]);
  const seen = new Set<string>();
  /** Processes in whose environment a secret is expected, and was seen: a watch that sees nothing proves nothing. */
  const proved = new Set<number>();
  const holdsSecret = (text: string) => secrets.some((secret) => text.includes(secret));
  const look = () => {
    for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
      for (const file of ["cmdline", "environ"]) {
        const text = read(`/proc/${pid}/${file}`);
        if (file === "environ" && expected.has(Number(pid))) {
          if (holdsSecret(text)) proved.add(Number(pid));
          continue;
        }
        // A copy of an expected process that has not yet become the program that it starts.
        if (file === "environ" && text !== "" && [...expected].some((other) => isCopy(pid, other))) continue;
        if (!holdsSecret(text)) continue;
        // Between fork and exec a child shows its parent's environment; what is really leaked is still there.
        if (file === "environ" && !holdsSecret(read(`/proc/${pid}/${file}`))) continue;
        seen.add(`${file} of ${read(`/proc/${pid}/comm`).trim()}`);
      }
    }
  };
  // A docker command lives for longer. Looking again at once would keep a core busy.
  const timer = setInterval(look, 20);
  return {
    expectIn: (pid) => expected.add(pid),
    stop() {
      clearInterval(timer);
      if (expected.size > 1 && proved.size === 0)
        throw new Error("The watch of the processes saw no secret at all.");
      return [...seen];
    },
  };
}

const isCopy = (pid: string, other: number): boolean =>
  read(`/proc/${pid}/cmdline`) === read(`/proc/${other}/cmdline`);

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It has ended meanwhile.
    return "";
  }
}
