import { packageFile } from "../packageFiles.js";

/** Where people get this version. The release workflow notes its repository in package.json before it builds. */

const { version, repository } = JSON.parse(packageFile("package.json")) as {
  version: string;
  repository?: { url: string };
};

export const VERSION = version;

/** https://github.com/OWNER/NAME. A program that was built from a clone comes from nowhere. */
const home = repository?.url.replace(/^git\+|\.git$/g, "");

/** The folder with the program files of this version. */
export const RELEASE: string | undefined = home && `${home}/releases/download/v${VERSION}`;

/** The container image of this version. */
export const IMAGE: string | undefined =
  home && `${home.replace("https://github.com", "ghcr.io")}:${VERSION}`;
