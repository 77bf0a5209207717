import { Option } from "@commander-js/extra-typings";
import { mirrorLoginsFrom } from "../credentials/operatorVariables.js";
import { ExitCode } from "../errors.js";
import { recordEvent } from "../history/recordSteps.js";
import { copiesOf, type ImageCopy, lastCopies } from "../mirror/mirrorCopies.js";
import { failuresOf, type MirrorReport } from "../mirror/regsyncLog.js";
import { mirrorStep, namedSources, runMirror, summaryOf } from "../mirror/runMirror.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import { plainRegistries, registryName } from "../services/mirrorSources.js";
import { withLock } from "../swarm/lock/stackLock.js";
import { missingText } from "../swarm/serviceLogs.js";
import { inStep } from "../terminal/inStep.js";
import type { Reporter } from "../terminal/reporter.js";
import { table } from "../terminal/table.js";
import { type LoginFlags, loginFrom } from "./credentials.js";
import { mirrorSelf } from "./mirrorSelf.js";
import { type AddCommand, editOptions, jobTimeoutOption, loginOptions, stackOptions } from "./options.js";
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
    .action(async (name, flags) => {
      const session = await openSession(flags);
      const { config, reporter } = session;
      const report = await withLock(session, config.stack, async () => {
        const done = await mirrorStep(session, namedSources(config, name));
        await recordEvent(session, "mirror", summaryOf(done));
        return done;
      });
      const failures = failuresOf(report);
      noteFaults(reporter, report, "\n    Change tags of that source in the config.");
      const copied = report.images.filter(({ state }) => state === "copied");
      reporter.result(
        { ...report, failures },
        copied.map(({ source, target }) => `${source} -> ${target}`),
      );
      finish(failures.length > 0 ? ExitCode.verify : ExitCode.ok);
    });
  loginOptions(stackOptions(mirror.command("status")))
    .description("compare each copy with its source: both digests, and when it was copied")
    .addOption(timeLimit())
    .addHelpText(
      "after",
      "\nThe comparison runs in the Swarm. A source that this machine cannot reach has a dash instead of its digest.\n\nExample:\n  hephaestus mirror status",
    )
    .action(async (flags) => finish(await mirrorStatus(flags)));
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
    .action(async (flags) => finish(await mirrorSelf(flags)));
};

/** What failed, and sources of which no tag matches. */
function noteFaults(reporter: Reporter, report: MirrorReport, remedy = ""): void {
  for (const failure of failuresOf(report)) reporter.note("error", failure);
  for (const source of report.unmatched)
    reporter.note("warning", `${source} has no tag that matches${remedy}`);
}

/** Compares each image here with its source. */
async function mirrorStatus(flags: SessionFlags & LoginFlags): Promise<ExitCode> {
  const session = await openSession(flags);
  const { config, docker, reporter, signal } = session;
  const sources = namedSources(config, undefined);
  const login = await loginFrom(flags, config.credentials);
  const lookUp = async () => {
    const report = await withLock(session, config.stack, () => runMirror(session, sources, "check"));
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
    { id: "mirror", title: "Mirror" },
    lookUp,
    (found) => ({
      outcome: found.isFine ? "done" : "failed",
      message: `${found.copies.length} images, ${found.behind} behind, ${found.failures.length} failed`,
    }),
  );
  noteFaults(reporter, report);
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
