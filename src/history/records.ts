import type { Docker } from "../docker/run.js";
import {
  contentOf,
  type NewConfig,
  NO_CONTENT,
  removeConfig,
  type SwarmConfig,
  writeConfig,
} from "../swarm/configs.js";
import { LABELS } from "../swarm/secrets.js";
import { stackConfigs } from "../swarm/stackConfigs.js";

/**
 * What was done to a stack, kept in its Swarm so that it outlives the operator's machine: a Swarm config for
 * each event, its facts in labels, the deployed files as its content. ops-scripts/deploy.sh leaves the same.
 */

/** Events after which the stack is in a state that one can go back to. */
const STATES = ["deploy", "rotate", "rollback"] as const;

export type EventKind = (typeof STATES)[number] | "gc" | "backup" | "mirror" | "maintain";

/** Records of states, and of maintenances, that are kept; of other events the newest one is. */
const KEPT = 20;

const HISTORY_LABELS = {
  kind: "hephaestus.history",
  at: "hephaestus.history.at",
  by: "hephaestus.history.by",
  /** SHA-256 of docker-compose.yml without its images; it names the other files by their content. */
  config: "hephaestus.history.config",
  /** Generations of users and machine accounts, "3/1". */
  generations: "hephaestus.history.generations",
  /** "registry=registry:2.8.3@sha256:… gateway=…" */
  images: "hephaestus.history.images",
  note: "hephaestus.history.note",
  /** "gc backup" */
  done: "hephaestus.history.done",
  failed: "hephaestus.history.failed",
} as const;

/** An event. Nothing in it is a secret, or was derived from one. */
export interface Event {
  kind: EventKind;
  at: Date;
  /** user@host */
  by: string;
  /** What came of it, in words. */
  note: string;
  /** Parts of a maintenance that were done well and whole, by themselves or in one run: "gc", "backup". */
  done?: readonly string[] | undefined;
  /** Those that failed, or left something out. */
  failed?: readonly string[] | undefined;
  /** Of a state: what was deployed. */
  config?: string | undefined;
  generations?: { users: number; machines: number } | undefined;
  /** Images by service, with the digests that ran. */
  images?: Readonly<Record<string, string>> | undefined;
}

export interface HistoryRecord extends Event {
  number: number;
  /** Whether one can go back to it. */
  isState: boolean;
  /** The deployed files, as gzipped tar; empty where there are none. */
  archive: Buffer;
}

const recordName = (stack: string, number: number | string): string => `${stack}_history_${number}`;

/** The config that keeps an event. @param archive the deployed files as gzipped tar, of a state */
export function recordConfig(stack: string, number: number, event: Event, archive?: Uint8Array): NewConfig {
  const { generations, images = {} } = event;
  const labels: ReadonlyArray<[string, string | undefined]> = [
    [LABELS.stack, stack],
    [HISTORY_LABELS.kind, event.kind],
    [HISTORY_LABELS.at, event.at.toISOString().replace(/\.\d+/, "")],
    [HISTORY_LABELS.by, event.by],
    [HISTORY_LABELS.note, event.note],
    [HISTORY_LABELS.done, event.done?.join(" ") || undefined],
    [HISTORY_LABELS.failed, event.failed?.join(" ") || undefined],
    [HISTORY_LABELS.config, event.config],
    [HISTORY_LABELS.generations, generations && `${generations.users}/${generations.machines}`],
    [
      HISTORY_LABELS.images,
      Object.entries(images)
        .map(([service, image]) => `${service}=${image}`)
        .join(" ") || undefined,
    ],
  ];
  return {
    name: recordName(stack, number),
    labels: Object.fromEntries(labels.filter(([, value]) => value !== undefined)) as Record<string, string>,
    // A config cannot be empty.
    content: archive?.length ? archive : NO_CONTENT,
  };
}

/** Reads one record back; undefined if it is none. */
export function parseRecord(stack: string, { Spec }: Pick<SwarmConfig, "Spec">): HistoryRecord | undefined {
  const labels = Spec.Labels ?? {};
  const prefix = recordName(stack, "");
  const number = Number(Spec.Name.startsWith(prefix) ? Spec.Name.slice(prefix.length) : "");
  const at = new Date(labels[HISTORY_LABELS.at] ?? "");
  const kind = labels[HISTORY_LABELS.kind] as EventKind | undefined;
  if (!Number.isInteger(number) || number < 1 || Number.isNaN(at.getTime()) || !kind) return undefined;
  const generations = /^(\d+)\/(\d+)$/.exec(labels[HISTORY_LABELS.generations] ?? "");
  const images = words(labels[HISTORY_LABELS.images]).filter((entry) => entry.includes("="));
  return {
    number,
    kind,
    at,
    by: labels[HISTORY_LABELS.by] ?? "unknown",
    note: labels[HISTORY_LABELS.note] ?? "",
    done: words(labels[HISTORY_LABELS.done]),
    failed: words(labels[HISTORY_LABELS.failed]),
    config: labels[HISTORY_LABELS.config],
    generations: generations
      ? { users: Number(generations[1]), machines: Number(generations[2]) }
      : undefined,
    images: Object.fromEntries(
      images.map((entry) => [entry.slice(0, entry.indexOf("=")), entry.slice(entry.indexOf("=") + 1)]),
    ),
    isState: (STATES as readonly string[]).includes(kind),
    archive: archiveIn(contentOf({ Spec })),
  };
}

/** When a part of the maintenance was last done well and whole; undefined if no record says so. */
export const lastDone = (
  records: readonly Pick<HistoryRecord, "at" | "done">[],
  part: "backup" | "gc",
): Date | undefined => records.findLast(({ done }) => done?.includes(part))?.at;

const archiveIn = (data: Buffer): Buffer => (data.toString() === NO_CONTENT ? Buffer.alloc(0) : data);

const words = (text = ""): string[] => text.split(" ").filter(Boolean);

/** All records of a stack, the oldest first. */
export async function readRecords(docker: Docker, stack: string): Promise<HistoryRecord[]> {
  return (await stackConfigs(docker, stack, recordName(stack, "")))
    .map((config) => parseRecord(stack, config))
    .filter((record) => record !== undefined)
    .sort((a, b) => a.number - b.number);
}

/**
 * Leaves a record, and removes the oldest ones. Who calls it holds the stack's lock.
 *
 * @param archive the deployed files as gzipped tar, of a state
 */
export async function writeRecord(
  docker: Docker,
  stack: string,
  event: Event,
  archive: Buffer | undefined,
): Promise<void> {
  const records = await readRecords(docker, stack);
  const number = (records.at(-1)?.number ?? 0) + 1;
  await writeConfig(docker, recordConfig(stack, number, event, archive));
  for (const old of outdated(records, event.kind)) await removeConfig(docker, recordName(stack, old));
}

/** Pure: numbers of the records that go when one of a kind is added. */
export function outdated(records: readonly HistoryRecord[], added: EventKind): number[] {
  const isState = (STATES as readonly string[]).includes(added);
  const alike = records.filter((record) => (isState ? record.isState : record.kind === added));
  // The newest maintenance may have failed in a part that an older one did.
  const kept = isState || added === "maintain" ? KEPT : 1;
  return alike.slice(0, Math.max(0, alike.length + 1 - kept)).map(({ number }) => number);
}
