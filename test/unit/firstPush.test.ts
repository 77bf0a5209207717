import { expect, test } from "vitest";
import { firstPush } from "../../src/commands/firstPush.js";
import { loadConfig } from "../../src/config/load.js";

const HOST = "registry.a.example";
const IMAGES = [
  { name: "alpine:3", size: 50 },
  { name: `${HOST}/old:1`, size: 1 },
  { name: "localhost:5000/tools/hello:1", size: 9 },
];

const push = (text: string, images = IMAGES) =>
  firstPush(loadConfig(`domain: a.example\n${text}`, "f", {}).config, HOST, "ann", images)[1];

test.each([
  ["the smallest image of another registry", "", "localhost:5000/tools/hello:1", "hello:1"],
  ["one that the user may push", "access: [{ repositories: [hello], push: [bob] }]", "alpine:3", "alpine:3"],
  [
    "no image if the user may push none",
    "access: [{ repositories: ['**'], push: [bob] }]",
    "IMAGE",
    "REPOSITORY:TAG",
  ],
])("the push that is shown is of %s", (_name, text, from, to) => {
  expect(push(text)).toBe(`docker tag ${from} ${HOST}/${to} && docker push ${HOST}/${to}`);
});

test("without an image on the engine it has a place for one", () => {
  expect(push("", [])).toContain("docker tag IMAGE ");
});
