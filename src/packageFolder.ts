/**
 * The folder of this package, as a URL: from a module of src/, and from the program that is built of them.
 */
export const PACKAGE = new URL("../", import.meta.url);
