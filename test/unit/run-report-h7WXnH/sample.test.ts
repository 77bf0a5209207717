import { expect, test } from "vitest";
     import { story } from "../../support/story.js";
     story();
     test("begins", () => {});
     test("fails", () => expect(1).toBe(2));
     test("builds on it", () => {});