import { readFileSync } from "node:fs";

/** The folder of this package, as a URL: from a module of src/, and from the program that is built of them. */
export const PACKAGE = new URL("../", import.meta.url);

/** The commit that the built program was made from, if known. */
export const COMMIT: string | undefined = undefined;

/**
 * The text of a file that ships with the package. The program that scripts/build.ts makes has them in itself.
 *
 * @param path such as templates/registry/config.yml
 */
export const packageFile = (path: string): string => readFileSync(new URL(path, PACKAGE), "utf8");
