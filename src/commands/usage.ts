import { hiddenFrom } from "../access/repositoryRules.js";
import type { Docker } from "../docker/run.js";
import { ExitCode } from "../errors.js";
import { isOfManifest, type LogRead, readGatewayLog } from "../frontDoor/gatewayLog.js";
import {
  type RepositoryContent,
  type RepositoryUsage,
  readRepositoryContent,
  usageOf,
} from "../maintenance/repositoryUsage.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import { missingText } from "../swarm/serviceLogs.js";
import { inStep } from "../terminal/inStep.js";
import { bytesText } from "../terminal/progress.js";
import { table } from "../terminal/table.js";
import { loginFrom } from "./credentials.js";
import { type AddCommand, configOption, contextOption, jsonOption, loginOptions } from "./options.js";
import { openSession } from "./session.js";

export const addUsage: AddCommand = (program, finish) => {
  loginOptions(program.command("usage"))
    .description("show how much space each repository needs, what it shares, and when it was last used")
    .addOption(configOption())
    .addOption(contextOption())
    .option("--no-log", "do not look up last pushes and pulls, which needs Docker")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nIt counts what tags hold. OWN is what no other repository holds: deleting all its tags and running a gc would free\nthat much. What is not public needs a login that may pull it; if the rules of access hide something from that login,\nit is named, and the exit code is 7. Last pushes and pulls come from the gateway's log, of which the Swarm keeps the\nlast 30 MB of each task.\n\nExample:\n  hephaestus usage",
    )
    .action(async (flags) => {
      const session = await openSession(flags);
      const { config, docker, reporter } = session;
      const login = await loginFrom(flags, config.credentials);
      const api = stackRegistry(session, login);
      const lookUp = async () => {
        const contents: RepositoryContent[] = [];
        const seen = await api.repositories();
        const unseen = hiddenFrom(config, login?.user, seen);
        for (const repository of seen) {
          reporter.progress(repository);
          contents.push(await readRepositoryContent(api, repository));
        }
        const log = flags.log
          ? await readLastUse(docker, config.stack)
          : { lastUse: new Map<string, LastUse>(), oldest: undefined, missing: [] };
        return { contents, unseen, ...usageOf(contents), ...log };
      };
      const { contents, unseen, repositories, bytes, lastUse, oldest, missing } = await inStep(
        reporter,
        { id: "usage", title: "Repositories" },
        lookUp,
        (found) =>
          `${found.repositories.length} ${found.repositories.length === 1 ? "repository" : "repositories"}, ${bytesText(found.bytes)}`,
      );
      const unreadable = contents.flatMap(({ repository, unreadable: names }) =>
        names.map((name) => `${repository}: ${name}`),
      );
      for (const name of unreadable)
        reporter.note(
          "warning",
          `${name} cannot be read, and is not counted\n    See why with: hephaestus logs registry`,
        );
      if (missing.length > 0) reporter.note("warning", missingText(missing));
      for (const sentence of unseen)
        reporter.note(
          "warning",
          `not seen, and not counted: ${sentence}\n    Use the login of a user who may pull all.`,
        );
      reporter.result(
        {
          bytes,
          unseen,
          missing,
          logBegins: oldest?.toISOString() ?? null,
          repositories: repositories.map((one) => asData(one, lastUse.get(one.repository))),
        },
        lines(repositories, bytes, lastUse, flags.log ? oldest : null, unseen.length > 0),
      );
      const isPartial = unreadable.length + unseen.length > 0;
      finish(isPartial ? ExitCode.verify : missing.length > 0 ? ExitCode.docker : ExitCode.ok);
    });
};

/** When a repository was last pushed to and pulled from, as far as the log goes back. */
interface LastUse {
  pushed?: Date;
  pulled?: Date;
}

async function readLastUse(
  docker: Docker,
  stack: string,
): Promise<LogRead & { lastUse: Map<string, LastUse> }> {
  const lastUse = new Map<string, LastUse>();
  const log = await readGatewayLog(docker, stack, undefined, (access) => {
    const { at, action, repository, status } = access;
    if (repository === undefined || status >= 400 || !isOfManifest(access)) return;
    const kind = action === "push" ? "pushed" : action === "pull" ? "pulled" : undefined;
    if (kind === undefined) return;
    const known = lastUse.get(repository) ?? {};
    if (known[kind] === undefined || known[kind] < at) lastUse.set(repository, { ...known, [kind]: at });
  });
  return { lastUse, ...log };
}

const BAR_WIDTH = 12;

/** A bar in eighths of a character, as long as the part of the whole. */
export function bar(part: number): string {
  const eighths = Math.round(Math.min(Math.max(part, 0), 1) * BAR_WIDTH * 8);
  const rest = eighths % 8;
  return "█".repeat(Math.floor(eighths / 8)) + (rest > 0 ? String.fromCodePoint(0x2590 - rest) : "");
}

function lines(
  repositories: readonly RepositoryUsage[],
  bytes: number,
  lastUse: ReadonlyMap<string, LastUse>,
  /** Null where the log was not read. */
  oldest: Date | undefined | null,
  isPartial: boolean,
): string[] {
  const largest = Math.max(1, ...repositories.map((one) => one.bytes));
  const day = (date: Date | undefined) => date?.toISOString().slice(0, 10) ?? "-";
  const head = ["REPOSITORY", "TAGS", "SIZE", "", "OWN", "SHARED WITH"];
  const rows = repositories.map(({ repository, tags, bytes: size, own, sharedWith }) => {
    const { pushed, pulled } = lastUse.get(repository) ?? {};
    const [first = "-", ...more] = sharedWith;
    return [
      repository,
      String(tags),
      bytesText(size),
      bar(size / largest),
      bytesText(own),
      more.length > 0 ? `${first} and ${more.length} more` : first,
      ...(oldest === null ? [] : [day(pushed), day(pulled)]),
    ];
  });
  return [
    ...table([...head, ...(oldest === null ? [] : ["LAST PUSH", "LAST PULL"])], rows),
    `${isPartial ? "What you can see" : "All"} together: ${bytesText(bytes)}, each blob counted once.`,
    ...(oldest === null ? [] : [logLine(oldest)]),
  ];
}

const logLine = (oldest: Date | undefined): string =>
  oldest === undefined
    ? "The gateway's log has no request."
    : `The gateway's log begins at ${oldest.toISOString()}: a dash is a use before that, or none.`;

const asData = ({ repository, tags, bytes, own, sharedWith }: RepositoryUsage, last: LastUse = {}) => ({
  repository,
  tags,
  bytes,
  own,
  sharedWith,
  lastPush: last.pushed?.toISOString() ?? null,
  lastPull: last.pulled?.toISOString() ?? null,
});
