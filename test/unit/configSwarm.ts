import type { CommandResult, Docker } from "../../src/docker/run.js";

/** The configs of a Swarm with a clock of its own, which no machine's clock has to agree with. */
export class ConfigSwarm {
  /** Milliseconds since the epoch; far from this machine's. */
  now = Date.parse("2031-05-05T05:05:05Z");
  /** Milliseconds by which the clock of the leader, which dates the configs, is ahead of that of the manager that answers. */
  ahead = 0;
  private next = 1;
  private readonly configs = new Map<
    string,
    { ID: string; Version: number; CreatedAt: string; UpdatedAt: string; Labels: Record<string, string> }
  >();
  silent = false;

  names = (): string[] => [...this.configs.keys()].sort();

  /** @param onCommand gets what passes the guard */
  docker(onCommand: (args: readonly string[]) => void = () => {}): Docker {
    const docker: Docker = {
      attempt: async (args, { input = "" } = {}) => {
        await docker.guard?.();
        onCommand(args);
        return this.silent
          ? { exitCode: 1, stdout: "", stderr: "no answer" }
          : this.answer(args, String(input));
      },
      run: async (args, options) => {
        const { exitCode, stdout, stderr } = await docker.attempt(args, options);
        if (exitCode !== 0) throw new Error(stderr);
        return stdout;
      },
    };
    return docker;
  }

  private dated = (): string => new Date(this.now + this.ahead).toISOString();

  private answer(args: readonly string[], input: string): CommandResult {
    const done = (stdout = ""): CommandResult => ({ exitCode: 0, stdout, stderr: "" });
    const missing = { exitCode: 1, stdout: "[]", stderr: "Error: no such config" };
    const [type, verb] = args;
    if (type === "info") return done(new Date(this.now).toISOString());
    if (type === "version") return done('{"ApiVersion":"1.41"}');
    if (type === "system") return done(this.update(input));
    if (type === "service") return done();
    const find = (name = "") =>
      this.configs.has(name) ? name : this.names().find((of) => this.configs.get(of)?.ID === name);
    const shown = (name: string) => {
      const { Labels, Version, ...facts } = this.configs.get(name) ?? { Labels: {} };
      return { ...facts, Version: { Index: Version }, Spec: { Name: name, Labels } };
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
        Version: 1,
        CreatedAt: this.dated(),
        UpdatedAt: this.dated(),
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
      return name === undefined ? missing : done(JSON.stringify(shown(name)));
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

  /** Updates a config through the API, as `docker system dial-stdio` hands it on. */
  private update(request: string): string {
    const [, id, version] = /^POST \/v1\.41\/configs\/(\w+)\/update\?version=(\d+) /.exec(request) ?? [];
    const config = [...this.configs.values()].find(({ ID }) => ID === id);
    const refused = (status: number, message: string) =>
      `HTTP/1.0 ${status} x\r\n\r\n${JSON.stringify({ message })}`;
    if (config === undefined) return refused(404, `config ${id} not found`);
    if (config.Version !== Number(version)) return refused(500, "update out of sequence");
    config.Version++;
    config.UpdatedAt = this.dated();
    return "HTTP/1.0 200 OK\r\n\r\n";
  }
}
