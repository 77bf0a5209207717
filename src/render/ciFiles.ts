import { type Config, setupArguments, storageFolder } from "../config/resolve.js";
import { IMAGE, RELEASE, VERSION } from "./published.js";
import type { RenderedFile } from "./renderedFile.js";
import type { TemplateName, Templates } from "./templates.js";

/**
 * Where each CI system looks for its workflows, and what is written there. Forgejo and Gitea read those of
 * GitHub.
 */
const FILES = {
  github: { ".github/workflows/registry.yml": "ciActions" },
  gitlab: { ".gitlab-ci.yml": "ciGitlab" },
  forgejo: { ".forgejo/workflows/registry.yml": "ciActions" },
  gitea: { ".gitea/workflows/registry.yml": "ciActions" },
  woodpecker: {
    ".woodpecker/registry.yml": "ciWoodpecker",
    ".woodpecker/maintain.yml": "ciWoodpeckerMaintain",
  },
} as const satisfies Record<string, Record<string, TemplateName>>;

export type CiSystem = keyof typeof FILES;

/** The CI systems that there are workflows for. */
export const CI_SYSTEMS = Object.keys(FILES) as CiSystem[];

/** Paths of the workflows of a CI system. */
export const ciPaths = (system: CiSystem): string[] => Object.keys(FILES[system]);

/** The workflows for a config; a path holds nothing that ends the quotes around it. */
export function ciFiles(system: CiSystem, config: Config, templates: Templates): RenderedFile[] {
  const source = storageFolder(config);
  // A bucket needs no host.
  const [option, place] = source === undefined ? ["--path", "/mnt/storage/registry"] : setupArguments(source);
  // Without a release, people have their own: nobody else's address stands in a workflow that gets a key.
  const image = IMAGE ?? `${config.registry.host}/hephaestus:${VERSION}`;
  const release = RELEASE ?? "${{ vars.HEPHAESTUS_RELEASE }}";
  return Object.entries(FILES[system]).map(([path, template]) => ({
    path,
    text: templates[template as TemplateName]
      .replaceAll("RELEASE/", () => `${release}/`)
      .replaceAll(/\bIMAGE\b/g, image)
      .replace("--ci github", `--ci ${system}`)
      .replace("--path '/mnt/storage/registry'", () => `${option} '${place}' --owner ${config.registry.user}`)
      .replace('deploy.sh "hephaestus"', () => `deploy.sh "${config.stack}"`),
  }));
}
