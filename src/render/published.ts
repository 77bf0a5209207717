import { packageFile } from "../packageFiles.js";

/** What this version is called, and from where people get it: all of it follows from package.json. */

const { name, version, repository } = JSON.parse(packageFile("package.json")) as {
  name: string;
  version: string;
  repository: { url: string };
};

export const VERSION = version;

/** The package, for npm. */
export const NPM_PACKAGE = name;

/** https://github.com/OWNER/NAME */
const HOME = repository.url.replace(/^git\+|\.git$/g, "");

/** The container image, without its tag. */
export const IMAGE = HOME.replace("https://github.com", "ghcr.io");

/** The folder with the files of a release; with latest, the newest one. */
export const releaseFiles = (release: string): string =>
  `${HOME}/releases/${release === "latest" ? "latest/download" : `download/v${release}`}`;
