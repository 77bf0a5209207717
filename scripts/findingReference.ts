import { ALL_KINDS } from "../src/doctor/allChecks.js";
import { THEMES } from "../src/finding.js";
import { markdownTable } from "./markdownTable.js";

/** Every code of a finding, in tables by theme. */
export const findingReference = (): string =>
  THEMES.map((theme) => {
    const kinds = ALL_KINDS.filter((one) => one.theme === theme).flatMap(({ kinds }) =>
      Object.entries(kinds),
    );
    const rows = kinds.map(([code, kind]) => [
      `\`${code}\``,
      kind.severity,
      named(kind.page?.meaning ?? kind.message),
      named(kind.page?.remedy ?? kind.remedy),
    ]);
    return `## ${theme}\n\n${markdownTable(["code", "severity", "what it means", "what to do"], rows)}`;
  }).join("\n\n");

/** Names that are filled in, as people write them. */
const named = (text: string): string => text.replace(/\{(\w+)\}/g, "*$1*");
