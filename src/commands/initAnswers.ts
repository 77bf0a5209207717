import { ConfigError } from "../config/configFindings.js";
import { type InitAnswers, initialConfig } from "../config/initialConfig.js";
import { loadConfig } from "../config/load.js";
import { dockerCommand } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { print } from "../terminal/output.js";
import { type Found, lookAtSwarm } from "./initFound.js";

/** Flags of `init` that answer its questions. */
export interface InitFlags {
  domain?: string;
  storage?: string;
  node?: string;
  registryVersion?: 2 | 3;
  traefikVersion?: 2 | 3;
  traefikNetwork?: string;
  ui?: "public" | "sso" | "none";
  yes?: boolean;
}

const DEFAULTS: Omit<InitAnswers, "domain"> = {
  storagePath: "/mnt/storage/registry",
  traefikVersion: 3,
  traefikNetwork: "aether-net",
  ui: "public",
};

/**
 * The answers: from flags, else asked for on a terminal, else (with --yes) the defaults. What the Swarm has is
 * the default, and said; without a Swarm there are fixed ones.
 *
 * @throws OperatorError naming the missing flags, when there is nobody to ask
 */
export async function gatherAnswers(flags: InitFlags, interactive: boolean): Promise<InitAnswers> {
  const given: Partial<InitAnswers> = {
    ...(flags.domain ? { domain: flags.domain } : {}),
    ...(flags.storage ? { storagePath: flags.storage } : {}),
    ...(flags.node ? { node: flags.node } : {}),
    registryVersion: flags.registryVersion,
    ...(flags.traefikVersion ? { traefikVersion: flags.traefikVersion } : {}),
    ...(flags.traefikNetwork ? { traefikNetwork: flags.traefikNetwork } : {}),
    ...(flags.ui ? { ui: flags.ui } : {}),
  };
  const found = flags.yes || interactive ? await lookAtSwarm(dockerCommand({})) : undefined;
  for (const note of found?.notes ?? []) print(`found ${note}`);
  const domainName = process.env.DOMAIN_NAME ? "${DOMAIN_NAME}" : undefined;
  if (found === undefined || flags.yes) {
    const answers = {
      ...(found ? { ...DEFAULTS, ...found.answers, found: found.settings } : {}),
      ...(flags.yes && domainName ? { domain: domainName } : {}),
      ...given,
    };
    const missing = Object.entries(FLAGS).filter(([name]) => !(name in answers));
    if (missing.length === 0) return answers as InitAnswers;
    throw new OperatorError(
      `no answer for ${missing.map(([, flag]) => flag).join(", ")}, and there is no terminal to ask on`,
      {
        where: "init",
        remedy: flags.yes
          ? "The domain has no default: give --domain example.com."
          : "Set these flags, or use --yes --domain example.com for the defaults.",
        exitCode: ExitCode.usage,
      },
    );
  }
  return ask(given, domainName, found);
}

const FLAGS: Record<Exclude<keyof InitAnswers, "node" | "registryVersion" | "found">, string> = {
  domain: "--domain",
  storagePath: "--storage",
  traefikVersion: "--traefik-version",
  traefikNetwork: "--traefik-network",
  ui: "--ui",
};

async function ask(
  given: Partial<InitAnswers>,
  domainName: string | undefined,
  { answers: defaults, settings, nodes }: Found,
): Promise<InitAnswers> {
  const { askChoice, askText } = await import("../terminal/prompts.js");
  const answers: InitAnswers = {
    domain: "example.com",
    ...DEFAULTS,
    ...defaults,
    ...given,
    found: settings,
  };
  const text = async (
    key: "domain" | "storagePath" | "traefikNetwork",
    message: string,
    initial?: string,
  ) => {
    if (given[key] !== undefined) return;
    answers[key] = await askText({
      message,
      initial,
      fault: (value) => faultOf({ ...answers, [key]: value }),
    });
  };
  await text("domain", "Your domain (the registry will be at registry.<domain>)", domainName);
  await text("storagePath", "Folder for the images, on the node that holds them", answers.storagePath);
  if (given.node === undefined && nodes.length > 1) {
    const options = nodes.map((name) => ({ value: name, label: name }));
    answers.node = await askChoice("Node that holds the images", options);
  }
  if (given.traefikVersion === undefined) {
    const lines = [
      { value: "3", label: "3 (3.2.2 or newer)" },
      { value: "2", label: "2" },
    ];
    const version = await askChoice("Your Traefik", lines, String(answers.traefikVersion));
    answers.traefikVersion = version === "2" ? 2 : 3;
  }
  await text("traefikNetwork", "Overlay network of Traefik", answers.traefikNetwork);
  if (given.ui === undefined) {
    const groups = [
      { value: "public", label: "everybody (read-only)" },
      { value: "sso", label: "who logs in at Authelia" },
      { value: "none", label: "nobody: no web library" },
    ];
    answers.ui = (await askChoice(
      "Who can browse the web library?",
      groups,
      answers.ui,
    )) as InitAnswers["ui"];
  }
  return answers;
}

/** What the schema says against answers, in one line. */
function faultOf(answers: InitAnswers): string | undefined {
  try {
    loadConfig(initialConfig(answers), "answer", { DOMAIN_NAME: "example.com", ...process.env });
    return undefined;
  } catch (error) {
    const finding = error instanceof ConfigError ? error.findings[0] : undefined;
    return finding ? `${finding.message}. ${finding.remedy}` : String(error);
  }
}
