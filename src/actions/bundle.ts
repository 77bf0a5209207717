import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { BUNDLE_VERSION, type BundledImage, STACK_FOLDER } from "../bundle/bundleFormat.js";
import { fromEngine, fromRegistry, type Target } from "../bundle/imageSource.js";
import { checkLoaded } from "../bundle/loadedImages.js";
import { programEntries } from "../bundle/ownProgram.js";
import { readBundle } from "../bundle/readBundle.js";
import type { Entry } from "../bundle/tarFile.js";
import { writeBundle } from "../bundle/writeBundle.js";
import { mirrorLoginsFrom } from "../credentials/mirrorLogins.js";
import { stackServices, words } from "../docker/objects.js";
import { type Docker, dockerCommand } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { readerOf, writeFiles } from "../host/files.js";
import { otherRegistry } from "../registry/otherRegistry.js";
import { compare } from "../render/compare.js";
import { imageParts } from "../services/mirrorSources.js";
import { stackImages } from "../stack.js";
import { chooseReporter, type ReportFlags } from "../terminal/chooseReporter.js";
import { inStep } from "../terminal/inStep.js";
import { interruptionSignal } from "../terminal/interruption.js";
import { bytesText, ProgressMeter } from "../terminal/progress.js";
import type { Reporter } from "../terminal/reporter.js";
import { table } from "../terminal/table.js";
import { readAndRender } from "./render.js";

export interface BundleFlags extends ReportFlags {
  config: string;
  context?: string;
  /** os/architecture of the nodes; that of the engine without it. */
  platform?: string;
  /** Whether no registry is asked. */
  fromEngine?: boolean;
  force?: boolean;
  /** What writes it: name and version. */
  tool: string;
}

/** Puts the program, the stack and its images into one file. */
export async function bundle(file: string, flags: BundleFlags): Promise<ExitCode> {
  if (existsSync(file) && !flags.force) throw alreadyThere(file);
  const { config, files } = await readAndRender(flags.config, undefined);
  const pinned = stackImages(config).find((name) => imageParts(name).digest !== undefined);
  if (pinned !== undefined) throw pinnedByDigest(pinned);
  const reporter = await chooseReporter(flags);
  const signal = interruptionSignal();
  const docker = dockerCommand({ context: flags.context, signal });
  const platform = flags.platform ?? (await platformOf(docker));
  const digests = await runningDigests(docker, config.stack);
  const stack: Entry[] = [
    {
      path: `${STACK_FOLDER}/${basename(flags.config)}`,
      mode: 0o644,
      text: await readFile(flags.config, "utf8"),
    },
    ...files.map(({ path, text }): Entry => ({ path: `${STACK_FOLDER}/${path}`, mode: 0o644, text })),
  ];
  const collect = async (target: Target): Promise<BundledImage[]> => {
    const images: BundledImage[] = [];
    for (const name of stackImages(config))
      images.push(await imageFor(name, digests.get(name), target, { docker, reporter, signal, flags }));
    return images;
  };
  const factsOf = (images: BundledImage[]) =>
    ({ version: BUNDLE_VERSION, tool: flags.tool, stack: config.stack, images }) as const;
  const { images, bytes } = await inStep(
    reporter,
    { id: "bundle", title: "Bundle" },
    async () => writeBundle(file, platform, collect, factsOf, [...stack, ...(await programEntries())]),
    (written) => `${file}, ${bytesText(written.bytes)}`,
  );
  reporter.result({ bundle: file, bytes, images }, [
    ...table(
      ["IMAGE", "DIGEST", "PLATFORM", "FROM"],
      images.map(({ name, digest, platform: of, source }) => [
        name,
        digest.slice(0, "sha256:".length + 12),
        of,
        "registry" in source ? source.registry : "this engine",
      ]),
    ),
    `On the other Swarm: hephaestus bundle load ${basename(file)}`,
    `Without hephaestus there: tar -xf ${basename(file)} hephaestus && node hephaestus/bin/hephaestus.js bundle load ${basename(file)}`,
  ]);
  return ExitCode.ok;
}

interface Tools {
  docker: Docker;
  reporter: Reporter;
  signal: AbortSignal;
  flags: BundleFlags;
}

/** An image from its registry by its digest, or from the engine where the registry cannot be asked. */
async function imageFor(
  name: string,
  digest: string | undefined,
  target: Target,
  { docker, reporter, signal, flags }: Tools,
): Promise<BundledImage> {
  const { repository: full, tag } = imageParts(name);
  const [registry = "", ...path] = full.split("/");
  reporter.progress(name);
  if (!flags.fromEngine) {
    const reference = digest ?? tag ?? "latest";
    const api = otherRegistry({ name: registry, logins: mirrorLoginsFrom(process.env), signal });
    try {
      const image = { name, registry, repository: path.join("/"), reference };
      return await fromRegistry(image, api, target, new ProgressMeter(reporter), signal);
    } catch (error) {
      if (!(error instanceof OperatorError) || signal.aborted) throw error;
      reporter.note(
        "info",
        `${name} comes from this engine, since ${registry} cannot give it: ${error.message}`,
      );
    }
  }
  return fromEngine(name, digest, target, docker);
}

/** The platform of the engine, as images name it. */
async function platformOf(docker: Docker): Promise<string> {
  return (await docker.run(["version", "--format", "{{.Server.Os}}/{{.Server.Arch}}"])).trim();
}

/** The digests that the services run, by image; none where there is no Swarm. */
async function runningDigests(docker: Docker, stack: string): Promise<Map<string, string>> {
  const services = await stackServices(docker, stack).catch(() => []);
  const images = services.map(({ Spec }) => Spec.TaskTemplate.ContainerSpec.Image.split("@"));
  return new Map(images.flatMap(([name = "", digest]) => (digest === undefined ? [] : [[name, digest]])));
}

export interface BundleLoadFlags extends ReportFlags {
  context?: string;
  /** Folder for the files of the stack; named after it without it. */
  output?: string;
  force?: boolean;
}

/** Gives the images of a bundle to the engine, and writes the files of its stack. */
export async function bundleLoad(file: string, flags: BundleLoadFlags): Promise<ExitCode> {
  const reporter = await chooseReporter(flags);
  const signal = interruptionSignal();
  const { facts, files } = await inStep(
    reporter,
    { id: "check", title: "Check" },
    () => readBundle(file),
    (read) => `${read.facts.images.length} images of ${read.facts.stack}, made by ${read.facts.tool}`,
  );
  const folder = resolve(flags.output ?? facts.stack);
  const states = compare(files, readerOf(folder));
  const differing = states.filter(({ state }) => state === "stale").map(({ path }) => path);
  if (differing.length > 0 && !flags.force) throw differs(folder, differing);
  const docker = dockerCommand({ context: flags.context, signal });
  const load = async () => {
    await docker.run(["load"], { inputFile: file });
    await checkLoaded(docker, facts.images);
  };
  await inStep(reporter, { id: "images", title: "Images" }, load, () =>
    facts.images.map(({ name }) => name).join(", "),
  );
  await writeFiles(folder, files);
  const nodes = words((await docker.attempt(["node", "ls", "--format", "{{.Hostname}}"])).stdout);
  reporter.result({ stack: facts.stack, folder, images: facts.images, nodes }, [
    `${folder}: the files of the stack`,
    ...(nodes.length > 1
      ? [
          `Each of the ${nodes.length} nodes needs the images. On the others: docker load --input ${basename(file)}`,
        ]
      : []),
    `Next: cd ${folder} && hephaestus deploy --resolve-image never`,
  ]);
  return ExitCode.ok;
}

const alreadyThere = (file: string): OperatorError =>
  new OperatorError("exists already", {
    where: file,
    remedy: "Use --force to overwrite it, or another name.",
    exitCode: ExitCode.usage,
  });

const pinnedByDigest = (image: string): OperatorError =>
  new OperatorError("is pinned by digest, and an engine that loads an image does not know its digest", {
    where: image,
    remedy: "Name it by its tag alone: the bundle has it by its digest.",
    exitCode: ExitCode.config,
  });

const differs = (folder: string, paths: readonly string[]): OperatorError =>
  new OperatorError(`${paths.join(", ")}: not those of the bundle`, {
    where: folder,
    remedy: "Use --output for another folder, or --force to overwrite them.",
    exitCode: ExitCode.usage,
  });
