import { expect, test } from "vitest";
import { keeping } from "../../../src/services/gateway/program/keeping.js";

const counted = () => {
  const asked: string[] = [];
  const kept = keeping((...texts) => {
    asked.push(texts.join("|"));
    return { texts };
  });
  return { kept, asked };
};

test("what was given lately is not worked out again", () => {
  const { kept, asked } = counted();
  expect(kept("none", "GET", "/a b")).toEqual({ texts: ["none", "GET", "/a b"] });
  expect(kept("none", "GET", "/a b")).toBe(kept("none", "GET", "/a b"));
  expect(kept("none", "HEAD", "/a b")).toEqual({ texts: ["none", "HEAD", "/a b"] });
  expect(asked).toEqual(["none|GET|/a b", "none|HEAD|/a b"]);
});

test("what it keeps is little, whatever clients ask for", () => {
  const { kept, asked } = counted();
  const long = "x".repeat(400);
  for (let times = 0; times < 2; times++) kept("none", "GET", long);
  expect(asked).toHaveLength(2);
  kept("none", "GET", "/first");
  for (let other = 0; other < 40; other++) kept("none", "GET", `/${other}`);
  kept("none", "GET", "/first");
  expect(asked.filter((text) => text.endsWith("/first"))).toHaveLength(2);
});
