import { Option } from "@commander-js/extra-typings";
import type { Config } from "../config/resolve.js";
import { mirrorLoginsFrom } from "../credentials/operatorVariables.js";
import { missingText } from "../docker/serviceLogs.js";
import { ExitCode, OperatorError } from "../errors.js";
import { recordEvent } from "../history/recordSteps.js";
import { copiesOf, type ImageCopy, lastCopies } from "../mirror/mirrorCopies.js";
import { failuresOf, isUpToDate, type MirrorReport } from "../mirror/regsyncLog.js";
import { runMirror } from "../mirror/runMirror.js";
import { withLock } from "../operation/stackLock.js";
import type { Session } from "../operation/stackSession.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import {
  type MirrorSource,
  mirrorSources,
  plainRegistries,
  registryName,
} from "../services/mirrorSources.js";
import { inStep } from "../terminal/inStep.js";
import { table } from "../terminal/table.js";
import type { AddCommand } from "./command.js";
import { type LoginFlags, loginFrom } from "./login.js";
import { mirrorSelf } from "./mirrorSelf.js";
import { editOptions, jobTimeoutOption, loginOptions, stackOptions } from "./options.js";
import { openSession, type SessionFlags } from "./session.js";

const timeLimit = () => jobTimeoutOption("the copies");

export const addMirror: AddCommand = (program, finish) => {
  const mirror = program
    .command("mirror")
    .description("copy images from other registries to this one")
    .addHelpText("after", "\nExample:\n  hephaestus mirror status");
  stackOptions(mirror.command("run"))
    .description("copy now: everything that the config mirrors, or the sources with one name")
    .argument("[name]", "name of sources; self names the stack's own images")
    .addOption(timeLimit())
    .addHelpText(
      "after",
      "\nImages that are already the same are left alone. Nothing is deleted in this registry, whatever happens to a source.\n\nExample:\n  hephaestus mirror run alpine",
    )
    .action(async (name, options) => finish(await mirrorRun(name, options)));
  loginOptions(stackOptions(mirror.command("status")))
    .description("compare each copy with its source: both digests, and when it was copied")
    .addOption(timeLimit())
    .addHelpText(
      "after",
      "\nThe comparison runs in the Swarm. A source that this machine cannot reach has a dash instead of its digest.\n\nExample:\n  hephaestus mirror status",
    )
    .action(async (options) => finish(await mirrorStatus(options)));
  loginOptions(editOptions(mirror.command("self")))
    .description("set the config file to mirror the stack's own images; with --use, deploy uses the copies")
    .addOption(
      new Option(
        "--use",
        "use the copies in the stack's own registry, which must have all of them",
      ).conflicts("off"),
    )
    .option("--off", "stop mirroring the stack's own images")
    .addHelpText(
      "after",
      "\nWith --use, the registry may be down: nodes start tasks from the images that they have. If a new node has none, run\nthis command without --use, then render and deploy.\n\nExample:\n  hephaestus mirror self --dry-run",
    )
    .action(async (options) => finish(await mirrorSelf(options)));
};

interface MirrorFlags extends SessionFlags, LoginFlags {}

const STEP = { id: "mirror", title: "Mirror" } as const;

/** Copies images here now, of all sources or of those with a name. */
async function mirrorRun(name: string | undefined, flags: MirrorFlags): Promise<ExitCode> {
  const session = await openSession({ ...flags, verify: false });
  const { config } = session;
  const report = await withLock(session, config.stack, async () => {
    const done = await mirrorStep(session, namedSources(config, name));
    await recordEvent(session, "mirror", summaryOf(done));
    return done;
  });
  return showRun(session, report);
}

/**
 * Runs the mirror with progress. The caller holds the lock.
 *
 * @param sources what is copied
 */
export async function mirrorStep(session: Session, sources: readonly MirrorSource[]): Promise<MirrorReport> {
  const { reporter } = session;
  return inStep(
    reporter,
    STEP,
    () => runMirror(session, sources, "once", (soFar) => reporter.progress(progressOf(soFar))),
    (report) => ({
      outcome: failuresOf(report).length > 0 ? "failed" : "done",
      message: summaryOf(report),
    }),
  );
}

/** Shows what a run did; it fails where an image failed. */
function showRun({ reporter }: Session, report: MirrorReport): ExitCode {
  const failures = failuresOf(report);
  for (const failure of failures) reporter.note("error", failure);
  for (const source of report.unmatched)
    reporter.note(
      "warning",
      `${source} has no tag that matches\n    Change tags of that source in the config.`,
    );
  const copied = report.images.filter(({ state }) => state === "copied");
  reporter.result(
    { ...report, failures },
    copied.map(({ source, target }) => `${source} -> ${target}`),
  );
  return failures.length > 0 ? ExitCode.verify : ExitCode.ok;
}

/** What a run did, in a line. */
export function summaryOf(report: MirrorReport): string {
  const failed = failuresOf(report).length;
  const unchanged = report.images.filter(isUpToDate).length;
  const copied = report.images.filter(({ state }) => state === "copied").length;
  return `${copied} copied, ${unchanged} unchanged${failed > 0 ? `, ${failed} failed` : ""}`;
}

const progressOf = (report: MirrorReport): string =>
  report.waitsFor === undefined
    ? [`${report.images.length} images`, report.images.at(-1)?.source].filter(Boolean).join(", now ")
    : `waiting, since ${report.waitsFor} allows no more pulls for now`;

/** @throws OperatorError where there is no source, or none of that name */
export function namedSources(config: Config, name: string | undefined): MirrorSource[] {
  const sources = mirrorSources(config);
  const named = sources.filter((source) => name === undefined || source.name === name);
  if (named.length > 0) return named;
  const names = [...new Set(sources.map((source) => source.name))];
  throw new OperatorError(
    name === undefined ? "nothing is mirrored" : `nothing that is mirrored is called ${name}`,
    {
      where: "mirror",
      remedy: names.length === 0 ? "Write mirror into the config." : `Use one of: ${names.join(", ")}.`,
      exitCode: names.length === 0 ? ExitCode.preflight : ExitCode.usage,
    },
  );
}

/** Compares each image here with its source. */
async function mirrorStatus(flags: MirrorFlags): Promise<ExitCode> {
  const session = await openSession({ ...flags, verify: false });
  const { config, docker, reporter, signal } = session;
  const sources = namedSources(config, undefined);
  const login = await loginFrom(flags, config.credentials);
  const lookUp = async () => {
    const report = await withLock(session, config.stack, () =>
      runMirror(session, sources, "check", (soFar) => reporter.progress(progressOf(soFar))),
    );
    const copies = await copiesOf(report, {
      here: stackRegistry(session, login),
      registry: registryName(config),
      plain: plainRegistries(config),
      signal,
      logins: () => mirrorLoginsFrom(process.env),
    });
    const { last, missing } = await lastCopies(docker, config.stack);
    const failures = failuresOf(report);
    const behind = copies.filter(({ state }) => state === "differs" || state === "missing").length;
    return { report, copies, last, missing, failures, behind, isFine: failures.length === 0 && behind === 0 };
  };
  const { report, copies, last, missing, failures, isFine } = await inStep(
    reporter,
    STEP,
    lookUp,
    (found) => ({
      outcome: found.isFine ? "done" : "failed",
      message: `${found.copies.length} images, ${found.behind} behind, ${found.failures.length} failed`,
    }),
  );
  for (const failure of failures) reporter.note("error", failure);
  for (const source of report.unmatched) reporter.note("warning", `${source} has no tag that matches`);
  if (missing.length > 0) reporter.note("warning", missingText(missing));
  const at = (copy: ImageCopy) => last.get(`${copy.repository}:${copy.tag}`);
  reporter.result(
    {
      images: copies.map((copy) => ({ ...copy, copiedAt: at(copy)?.toISOString() ?? null })),
      failures,
      missing,
    },
    table(
      ["IMAGE", "SOURCE", "HERE", "THERE", "STATE", "COPIED (UTC)"],
      copies.map((copy) => [
        `${copy.repository}:${copy.tag}`,
        copy.source,
        short(copy.here),
        short(copy.there),
        copy.state,
        at(copy)?.toISOString().slice(0, 16).replace("T", " ") ?? "-",
      ]),
    ),
  );
  if (!isFine) return ExitCode.unhealthy;
  return missing.length > 0 ? ExitCode.docker : ExitCode.ok;
}

/** The begin of a digest; a dash where it is not known. */
const short = (digest: string | undefined): string => digest?.replace(/^sha256:/, "").slice(0, 12) ?? "-";
