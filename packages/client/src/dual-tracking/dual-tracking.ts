import { contract, invalidParameter, type Endpoint } from '@lazuli/contract';
import type { ArtifactStore } from '../artifacts/artifact-store.ts';
import type { Client } from '../client.ts';
import type { CallOptions } from '../transport.ts';
import { experimentNameIn } from './experiment-names.ts';
import { createFollower, type Follower, type OnSecondaryFailure } from './follower.ts';
import { repeat } from './repetition.ts';
import { translated, type Input } from './translation.ts';
import { createTwins, type Store, type Twins } from './twins.ts';

/**
 * Tracking in two stores at once, as Databricks and Azure ML do it when they are linked: each experiment, run, metric,
 * artifact and model goes to both, under ids of their own, and answers come from the primary. The model registry is one of
 * the two.
 */
export interface DualStore extends Store {
  /** Where files at an artifact URI of this store are read and written. Without it, files are not tracked. */
  readonly artifactsAt?: (uri: string) => ArtifactStore;
}

export interface DualTrackingOptions {
  /** Answers come from here. A connection of the client, or what has its `uri`, `client` and `artifactsAt`. */
  readonly primary: DualStore;
  readonly secondary: DualStore;
  readonly onSecondaryFailure: OnSecondaryFailure;
  /** Default: the one that is Databricks, else the primary. */
  readonly registry?: 'primary' | 'secondary';
  /** Takes what the secondary refuses; default: a warning on the console. */
  readonly warn?: (message: string) => void;
}

/** Used like a connection. Closing it waits for the secondary. */
export interface DualTracking extends Store, AsyncDisposable {
  readonly artifactsAt: (uri: string) => ArtifactStore;
  /** With `queue`, waits until the secondary has all; rejects with the signal's reason where that comes first. */
  flush(signal?: AbortSignal): Promise<void>;
  /** Calls that the secondary has still to do. */
  pending(): number;
}

type Method = (input: Input, options?: CallOptions) => Promise<unknown>;
type Methods = Readonly<Record<string, Readonly<Record<string, Method>>>>;

interface Stores {
  readonly primary: DualStore;
  readonly secondary: DualStore;
  readonly twins: Twins;
  readonly follower: Follower;
}

const trackingGroups = ['experiments', 'runs', 'loggedModels'];
const registryGroups = ['registeredModels', 'modelVersions', 'registryHistory'];

export function dualTracking(options: DualTrackingOptions): DualTracking {
  const { primary, secondary, onSecondaryFailure, warn = (message) => console.warn(message) } = options;
  const isThere = primary.uri.kind !== 'databricks' && secondary.uri.kind === 'databricks';
  const registry = options.registry ?? (isThere ? 'secondary' : 'primary');
  const follower = createFollower({ onFailure: onSecondaryFailure, name: secondary.uri.kind, warn });
  const stores: Stores = { primary, secondary, follower, twins: createTwins(primary, secondary) };
  const groups = Object.entries(contract).map(([group, endpoints]): [string, Methods[string]] => {
    const own = primary.client[group as keyof Client] as Methods[string];
    if (trackingGroups.includes(group)) return [group, trackedInBoth(group, endpoints, stores)];
    if (registryGroups.includes(group) && registry === 'secondary') return [group, registeredThere(group, stores)];
    return [group, own];
  });
  return {
    uri: primary.uri,
    client: Object.fromEntries(groups) as unknown as Client,
    artifactsAt: (uri) => filesInBoth(uri, stores),
    flush: (signal) => follower.flush(signal),
    pending: () => follower.pending(),
    [Symbol.asyncDispose]: () => follower.flush(),
  };
}

function trackedInBoth(group: string, endpoints: Readonly<Record<string, Endpoint>>, stores: Stores): Methods[string] {
  const { primary, twins, follower } = stores;
  const methods = (primary.client as unknown as Methods)[group] ?? {};
  return Object.fromEntries(
    Object.entries(methods).map(([name, own]) => {
      const isRead = endpoints[name]?.actions.every((action) => action.endsWith('/read')) === true;
      const call: Method = async (input, callOptions) => {
        const answer = await own(namedIn(primary, input, group), callOptions);
        learn(input, answer, twins);
        if (!isRead) await follower.follow(name, () => repeat({ group, name, input, answer }, stores));
        return answer;
      };
      // What else a method has, such as reading all pages, is the primary's.
      return [name, Object.assign(call, own)];
    }),
  );
}

/** The registry of the secondary: what it is told of runs and models is told in its own ids. */
function registeredThere(group: string, { secondary, twins, follower }: Stores): Methods[string] {
  const methods = (secondary.client as unknown as Methods)[group] ?? {};
  return Object.fromEntries(
    Object.entries(methods).map(([name, own]) => {
      const call: Method = async (input, callOptions) => {
        // Runs and models that versions are made from have to be there.
        if (name === 'createModelVersion') await follower.flush(callOptions?.signal);
        return await own(await translated(input, twins), callOptions);
      };
      return [name, Object.assign(call, own)];
    }),
  );
}

function filesInBoth(uri: string, { primary, secondary, twins, follower }: Stores): ArtifactStore {
  const [own, there] = [primary.artifactsAt?.(uri), secondary.artifactsAt];
  if (own === undefined || there === undefined)
    throw invalidParameter(`The stores were given without 'artifactsAt', so the files at ${uri} are out of reach.`);
  return {
    list: (folder, options) => own.list(folder, options),
    open: (path, options) => own.open(path, options),
    async upload(uploads, options) {
      await own.upload(uploads, options);
      await follower.follow('upload artifacts', async () => {
        await there(await twins.locationOf(uri)).upload(uploads);
      });
    },
  };
}

const nameFields = ['name', 'experiment_name', 'new_name'];

/** The input with the name that an experiment has in this store. */
function namedIn({ uri }: Store, input: Input, group: string): Input {
  if (group !== 'experiments') return input;
  const entries = Object.entries(input).map(([field, value]) => [
    field,
    nameFields.includes(field) && typeof value === 'string' ? experimentNameIn(uri.kind, value) : value,
  ]);
  return Object.fromEntries(entries) as Input;
}

interface Learnt {
  readonly experiment_id?: string;
  readonly experiment?: { readonly experiment_id: string };
  readonly run?: { readonly info: { readonly run_id: string; readonly artifact_uri: string } };
  readonly model?: { readonly info: { readonly model_id: string; readonly artifact_uri: string } };
}

/** Remembers what an answer tells: what an experiment is called, and where the files of a run or model lie. */
function learn(input: Input, answer: unknown, twins: Twins): void {
  const { experiment, experiment_id = experiment?.experiment_id, run, model } = answer as Learnt;
  const name = input['name'] ?? input['experiment_name'];
  if (experiment_id !== undefined && typeof name === 'string') twins.noteName(experiment_id, name);
  if (run !== undefined) twins.noteFiles('run', run.info.run_id, run.info.artifact_uri);
  if (model !== undefined) twins.noteFiles('model', model.info.model_id, model.info.artifact_uri);
}
