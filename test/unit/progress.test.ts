import { expect, test } from "vitest";
import { bytesText, durationText, progressText } from "../../src/terminal/progress.js";

test.each([
  [0, "0 B"],
  [999, "999 B"],
  [1_500, "1.5 kB"],
  [123_456_789, "123 MB"],
  [7e15, "7000 TB"],
])("%d bytes are %s", (bytes, text) => expect(bytesText(bytes)).toBe(text));

test.each([
  [0.2, "1 s"],
  [59, "59 s"],
  [123, "2 min 03 s"],
  [3_900, "1 h 05 min"],
])("%d seconds are %s", (seconds, text) => expect(durationText(seconds)).toBe(text));

test("progress tells part, rate and what is left, and no rate before it means something", () => {
  expect(progressText({ done: 50e6, total: 200e6, seconds: 5 }, true)).toBe(
    "[======                  ] 25%  50.0 MB of 200 MB, 10.0 MB/s, 15 s left",
  );
  expect(progressText({ done: 0, total: 200e6, seconds: 0 }, false)).toBe("0%  0 B of 200 MB");
  expect(progressText({ done: 5e6, total: 0, seconds: 1 }, true)).toBe("5.0 MB, 5.0 MB/s");
  expect(progressText({ done: 9, total: 8, seconds: 0 }, false)).toBe("100%  9 B of 8 B");
});
