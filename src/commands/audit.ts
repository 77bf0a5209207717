import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { matchesGlob } from "../access/glob.js";
import { timeFrom } from "../credentials/dates.js";
import { ExitCode } from "../errors.js";
import { type Access, isEvent, readGatewayLog } from "../frontDoor/gatewayLog.js";
import { ACTIONS } from "../services/accessActions.js";
import { missingText } from "../swarm/serviceLogs.js";
import { table } from "../terminal/table.js";
import { type AddCommand, configOption, contextOption, jsonOption, repositoryGlob } from "./options.js";
import { openSession } from "./session.js";

export const addAudit: AddCommand = (program, finish) => {
  program
    .command("audit")
    .description("list who pulled, pushed or deleted which image, and what was refused")
    .addOption(configOption())
    .addOption(contextOption())
    .addOption(
      new Option("--since <time>", "how far back: 30m, 12h, 7d, or a date such as 2026-11-20")
        .default("24h")
        .argParser(pastTime),
    )
    .option("--user <name>", "only this user")
    .addOption(
      new Option("--repository <glob>", "only these repositories; ** matches slashes too").argParser(
        repositoryGlob,
      ),
    )
    .addOption(new Option("--action <action>", "only this action").choices(ACTIONS))
    .option("--all", "list every request, including the steps of a pull, a push or a login")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nIt reads the gateway's log from the Swarm, which keeps the last 30 MB of each task. A dash instead of a user means\nthat nobody's password was checked.\n\nExample:\n  hephaestus audit --since 7d --user ann",
    )
    .action(async (flags) => {
      const { config, docker, reporter } = await openSession(flags);
      const { user, repository, action, all } = flags;
      const isMeant = (access: Access) =>
        (all === true || isEvent(access)) &&
        (user === undefined || access.user === user || access.via === user) &&
        (action === undefined || access.action === action) &&
        (repository === undefined ||
          (access.repository !== undefined && matchesGlob(repository, access.repository)));
      const found: Access[] = [];
      const since = timeFrom(flags.since, new Date())?.toISOString() ?? "";
      const { oldest, missing } = await readGatewayLog(docker, config.stack, since, (access) => {
        if (isMeant(access)) found.push(access);
      });
      if (missing.length > 0) reporter.note("warning", missingText(missing));
      const from = oldest?.toISOString();
      reporter.result({ logBegins: from ?? null, missing, events: found.map(asData) }, [
        ...(found.length === 0 ? ["Nothing was found."] : table(HEAD, found.map(row))),
        from === undefined
          ? `The gateway logged no request since ${since}.`
          : `Oldest request in the log: ${from}.`,
      ]);
      finish(missing.length > 0 ? ExitCode.docker : ExitCode.ok);
    });
};

function pastTime(value: string): string {
  if (timeFrom(value, new Date()) === undefined)
    throw new InvalidArgumentError("Enter a time such as 30m, 12h or 7d, or a date such as 2026-11-20.");
  return value;
}

const HEAD = ["WHEN (UTC)", "USER", "ACTION", "IMAGE", "STATUS", "ADDRESS", "CLIENT"];

function row({
  at,
  user,
  via,
  action,
  method,
  path,
  repository,
  reference,
  status,
  ...rest
}: Access): string[] {
  const separator = reference?.includes(":") ? "@" : ":";
  const image = repository && `${repository}${reference === undefined ? "" : separator + short(reference)}`;
  return [
    at.toISOString().slice(0, 19).replace("T", " "),
    via === undefined ? (user ?? "-") : `${user} via ${via}`,
    action ?? method,
    image ?? path,
    String(status),
    rest.address,
    rest.userAgent.split(" ")[0] ?? "",
  ];
}

const short = (reference: string): string => reference.replace(/^(sha256:.{12}).+$/, "$1");

const asData = ({ at, user, via, repository, reference, action, ...rest }: Access) => ({
  at: at.toISOString(),
  user: user ?? null,
  via: via ?? null,
  action: action ?? null,
  repository: repository ?? null,
  reference: reference ?? null,
  ...rest,
});
