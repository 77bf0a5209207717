import type { Subject } from "./mutation.js";

/** What a bundle is made of, and what of it is believed. */
export const BUNDLE: readonly Subject[] = [
  {
    file: "src/bundle/readBundle.ts",
    tests: ["bundle.test.ts", "bundleArchive.test.ts"],
    mutations: [
      { what: "if (found !== sum)", by: "if (false)", rule: "a byte that changed is noticed" },
      { what: "if (unknown !== undefined)", by: "if (false)", rule: "a file without a sum is refused" },
      { what: "if (sums.has(name))", by: "if (false)", rule: "a file that is there twice is refused" },
      { what: 'if (type !== "file")', by: "if (false)", rule: "a link in a bundle is refused" },
      {
        what: '|| part.startsWith(".")',
        by: "",
        rule: "no path leads out of the bundle, and none is hidden",
      },
      {
        what: 'names.sort().join("\\n") !== [...facts.images].sort().join("\\n")',
        by: "false",
        rule: "docker gets no names that the bundle does not name",
      },
      { what: "!parts.has(path) ||", by: "", rule: "nothing is in it that is no part of an image" },
      { what: 'path !== blobPath(sums.get(path) ?? "")', by: "false", rule: "each part is under its digest" },
    ],
  },
  {
    file: "src/bundle/engineImages.ts",
    tests: ["bundleArchive.test.ts"],
    mutations: [
      {
        what: "found.digests.includes(running)",
        by: "found.digests.length > 0",
        rule: "another image than the stack runs is not taken",
      },
      {
        what: "const isPulled = !isRight && canPull",
        by: "const isPulled = !isRight && canPull && found?.digests.length !== 0",
        rule: "an image without a digest is not taken for the one that runs",
      },
      {
        what: "!isRight && found.digests.length > 0",
        by: "!isRight",
        rule: "an image that was built is taken",
      },
      { what: "if (has !== platform)", by: "if (false)", rule: "an image for another platform is refused" },
      {
        what: 'await docker.run(["tag", reference, name])',
        by: "return",
        rule: "an image that was pulled by its digest has its name",
      },
      {
        what: ".sort(([a], [b]) => (a < b ? -1 : 1))",
        by: "",
        rule: "the same images make the same bytes",
      },
      {
        what: '?? places.get(links.get(posix.normalize(name)) ?? "")',
        by: "",
        rule: "a layer that is a link is found",
      },
    ],
  },
];
