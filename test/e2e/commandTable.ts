import type { ManagerNode } from "../support/nodes.js";
import type { Run, Workspace } from "./workspace.js";

/** Commands that were run against one manager or another. */
export class CommandTable {
  private readonly rows: string[] = [];

  /** Runs a command against a manager, and adds it to the table. */
  async run(
    workspace: Workspace,
    { name, dockerHost }: ManagerNode,
    args: readonly string[],
    env: Record<string, string>,
  ): Promise<Run> {
    const start = Date.now();
    const run = await workspace.hephaestus(args, { env: { DOCKER_HOST: dockerHost, ...env } });
    this.rows.push(`${name} | ${args.join(" ")} | exit ${run.exitCode} | ${Date.now() - start} ms`);
    return run;
  }

  toString(): string {
    return this.rows.join("\n");
  }
}
