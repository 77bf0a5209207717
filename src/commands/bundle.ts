import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";
import { Option } from "@commander-js/extra-typings";
import {
  BUNDLE_FILE,
  BUNDLE_VERSION,
  type BundleFacts,
  PROGRAM_FILE,
  PROGRAM_FOLDER,
  PROGRAM_SCRIPT,
  STACK_FOLDER,
} from "../bundle/bundleFormat.js";
import { provideImage, runningDigests, saveImages } from "../bundle/engineImages.js";
import { programEntries } from "../bundle/ownProgram.js";
import { readBundle } from "../bundle/readBundle.js";
import { type Entry, writeBundle } from "../bundle/tarFile.js";
import { type Docker, dockerCommand } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { readFrom, writeFiles } from "../host/files.js";
import { thisProgram } from "../host/thisProgram.js";
import { compare } from "../render/compare.js";
import { imageParts } from "../services/mirrorSources.js";
import { stackImages } from "../stack.js";
import { readEngineVersion } from "../swarm/engine.js";
import { listNodes } from "../swarm/objects.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { inStep } from "../terminal/inStep.js";
import { interruptionSignal } from "../terminal/interruption.js";
import { bytesText } from "../terminal/progress.js";
import { type AddCommand, configOption, contextOption, jsonOption, quietOption } from "./options.js";
import { openSession } from "./session.js";

export const addBundle: AddCommand = (program, finish) => {
  const tool = `hephaestus ${program.version()}`;
  const group = program
    .command("bundle")
    .description("put this program, the stack and its images into one file, for a Swarm without internet")
    .argument("<file>", "file to write")
    .addOption(configOption())
    .addOption(contextOption())
    .option("--from-engine", "use only images that this engine has, and ask no registry")
    .option("--force", "overwrite the file")
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText(
      "after",
      "\nThe bundle has the images that the stack runs, for the platform of the engine, which pulls those that it lacks.\ndocker load reads the file too. It holds no secrets.\n\nExample:\n  hephaestus bundle forge.bundle --from-engine",
    )
    .action(async (file, flags) => {
      if (existsSync(file) && !flags.force) throw alreadyThere(file);
      const { config, files, docker, reporter } = await openSession(flags);
      const names = stackImages(config);
      const pinned = names.find((name) => imageParts(name).digest !== undefined);
      if (pinned !== undefined) throw pinnedByDigest(pinned);
      const platform = await platformOf(docker);
      const { isFile, platform: own } = thisProgram();
      const carriesProgram = !isFile || own === platform;
      if (!carriesProgram)
        reporter.note(
          "warning",
          `this program file is for ${own}, so the bundle for ${platform} is without a program`,
        );
      const digests = await runningDigests(docker, config.stack);
      const source = { path: basename(flags.config), text: await readFile(flags.config, "utf8") };
      const stack = [source, ...files].map(({ path, text }) => textEntry(`${STACK_FOLDER}/${path}`, text));
      const collect = async (folder: string): Promise<Entry[]> => {
        for (const name of names) {
          reporter.progress(name);
          const note = await provideImage(docker, name, {
            running: digests.get(name),
            platform,
            canPull: !flags.fromEngine,
          });
          if (note !== undefined) reporter.note("warning", note);
        }
        const facts: BundleFacts = {
          version: BUNDLE_VERSION,
          tool,
          stack: config.stack,
          platform,
          images: names,
        };
        return [
          textEntry(BUNDLE_FILE, `${JSON.stringify(facts, null, 2)}\n`),
          ...(await saveImages(docker, names, folder)),
          ...stack,
          ...(carriesProgram ? await programEntries() : []),
        ];
      };
      const bytes = await inStep(
        reporter,
        { id: "bundle", title: "Bundle" },
        () => writeBundle(file, collect),
        (size) => `${file}, ${bytesText(size)}`,
      );
      reporter.result({ bundle: file, bytes, platform, images: names }, [
        `Images for ${platform}: ${names.join(", ")}`,
        `On the other Swarm: hephaestus bundle load ${basename(file)}`,
        ...(carriesProgram
          ? [
              `Without hephaestus there: tar -xf ${basename(file)} ${PROGRAM_FOLDER} && ${isFile ? PROGRAM_FILE : PROGRAM_SCRIPT} bundle load ${basename(file)}`,
            ]
          : []),
      ]);
      finish(ExitCode.ok);
    });
  group
    .command("load")
    .description("load the images of a bundle into this engine, and write the files of its stack")
    .argument("<file>", "bundle")
    .addOption(contextOption())
    .addOption(new Option("-o, --output <folder>", "folder for the files (default: the name of the stack)"))
    .option("--force", "overwrite files that differ")
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText(
      "after",
      "\nEvery byte is checked before anything is done. Afterwards, deploy with: hephaestus deploy --resolve-image never\n\nExample:\n  hephaestus bundle load forge.bundle",
    )
    .action(async (file, _flags, command) => {
      const flags = command.optsWithGlobals();
      const reporter = await chooseReporter(flags);
      const { facts, files } = await inStep(
        reporter,
        { id: "check", title: "Check" },
        () => readBundle(file),
        (read) => `${read.facts.images.length} images of ${read.facts.stack}, made by ${read.facts.tool}`,
      );
      const folder = resolve(flags.output ?? facts.stack);
      const states = compare(files, readFrom(folder));
      const differing = states.filter(({ state }) => state === "stale").map(({ path }) => path);
      if (differing.length > 0 && !flags.force) throw differs(folder, differing);
      const docker = dockerCommand({ context: flags.context, signal: interruptionSignal() });
      const platform = await platformOf(docker);
      if (platform !== facts.platform) throw otherPlatform(file, facts.platform, platform);
      const load = async () => {
        await docker.run(["load"], { inputFile: file });
        // It fails if the engine lacks one.
        await docker.run(["image", "inspect", "--format", "{{.Id}}", ...facts.images]);
      };
      await inStep(reporter, { id: "images", title: "Images" }, load, () => facts.images.join(", "));
      await writeFiles(folder, files);
      const nodes = (await listNodes(docker).catch(() => [])).map(
        ({ ID, Description }) => Description.Hostname ?? ID,
      );
      reporter.result({ stack: facts.stack, folder, images: facts.images, nodes }, [
        `${folder}: the files of the stack`,
        ...(nodes.length > 1
          ? [
              `Each of the ${nodes.length} nodes needs the images. On the others: docker load --input ${basename(file)}`,
            ]
          : []),
        `Next: cd ${folder} && hephaestus deploy --resolve-image never`,
      ]);
      finish(ExitCode.ok);
    });
};

const textEntry = (path: string, text: string): Entry => ({ path, mode: 0o644, text });

/** The platform of the engine, as images name it. */
async function platformOf(docker: Docker): Promise<string> {
  const { Os, Arch } = await readEngineVersion(docker);
  return `${Os}/${Arch}`;
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
    remedy: "Name it only by its tag: the bundle has the image that the stack runs.",
    exitCode: ExitCode.config,
  });

const otherPlatform = (file: string, has: string, wanted: string): OperatorError =>
  new OperatorError(`has images for ${has}, and this engine runs on ${wanted}`, {
    where: file,
    remedy: `Make the bundle with an engine on ${wanted}: hephaestus bundle --context NAME`,
    exitCode: ExitCode.preflight,
  });

const differs = (folder: string, paths: readonly string[]): OperatorError =>
  new OperatorError(`${paths.join(", ")}: not those of the bundle`, {
    where: folder,
    remedy: "Use --output for another folder, or --force to overwrite them.",
    exitCode: ExitCode.usage,
  });
