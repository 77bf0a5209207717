import type { CommandResult, Docker } from "../../src/docker/run.js";

/** The configs of a Swarm with a clock of its own, which no machine's clock has to agree with. */
export class ConfigSwarm {
  /** Milliseconds since the epoch; far from this machine's. */
  now = Date.parse("2031-05-05T05:05:05Z");
  private next = 1;
  private readonly configs = new Map<
    string,
    { ID: string; CreatedAt: string; Labels: Record<string, string> }
  >();
  silent = false;

  names = (): string[] => [...this.configs.keys()].sort();

  docker(): Docker {
    const docker: Docker = {
      attempt: async (args) => {
        await docker.guard?.();
        return this.silent ? { exitCode: 1, stdout: "", stderr: "no answer" } : this.answer(args);
      },
      run: async (args) => {
        const { exitCode, stdout, stderr } = await docker.attempt(args);
        if (exitCode !== 0) throw new Error(stderr);
        return stdout;
      },
    };
    return docker;
  }

  private answer(args: readonly string[]): CommandResult {
    const done = (stdout = ""): CommandResult => ({ exitCode: 0, stdout, stderr: "" });
    const missing = { exitCode: 1, stdout: "[]", stderr: "Error: no such config" };
    const [type, verb] = args;
    if (type === "info") return done(new Date(this.now).toISOString());
    if (type === "service") return done();
    const find = (name = "") =>
      this.configs.has(name) ? name : this.names().find((of) => this.configs.get(of)?.ID === name);
    const shown = (name: string) => {
      const { ID, CreatedAt, Labels } = this.configs.get(name) as {
        ID: string;
        CreatedAt: string;
        Labels: object;
      };
      return { ID, CreatedAt, Spec: { Name: name, Labels } };
    };
    if (verb === "create") {
      const name = args.at(-2) ?? "";
      if (this.configs.has(name)) return { exitCode: 1, stdout: "", stderr: `config ${name} already exists` };
      const labels = args.flatMap((arg, at) =>
        args[at - 1] === "--label" ? [arg.split("=") as [string, string]] : [],
      );
      const ID = `id${String(this.next++).padStart(4, "0")}`.padEnd(25, "x");
      this.configs.set(name, {
        ID,
        CreatedAt: new Date(this.now).toISOString(),
        Labels: Object.fromEntries(labels),
      });
      return done(`${ID}\n`);
    }
    if (verb === "ls") {
      const prefix = /^name=(.*)$/.exec(args[3] ?? "")?.[1] ?? "";
      return done(
        this.names()
          .filter((name) => name.includes(prefix))
          .join("\n"),
      );
    }
    if (verb === "rm") {
      const found = args.slice(2).map(find);
      for (const name of found) if (name) this.configs.delete(name);
      return found.every(Boolean) ? done() : missing;
    }
    if (args[2] === "--format") {
      const name = find(args.at(-1));
      if (name === undefined) return missing;
      const one = shown(name);
      const format = args[3] ?? "";
      return done(
        JSON.stringify(format.includes("CreatedAt") ? one.CreatedAt : format.includes("ID") ? one.ID : one),
      );
    }
    return done(
      JSON.stringify(
        args
          .slice(2)
          .filter((name) => this.configs.has(name))
          .map(shown),
      ),
    );
  }
}
