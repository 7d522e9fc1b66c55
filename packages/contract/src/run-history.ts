import { Type, type Static, type TObject } from 'typebox';
import { endpoint } from './endpoint.ts';
import { List, Text } from './scalars.ts';

/**
 * The run history and artifact services of Azure Machine Learning, as far as its MLflow plugin calls them: where the bytes
 * of an artifact are written to or read from, and which artifacts there are. *Names are Azure's, in camelCase.*
 */
const readArtifacts = ['experiments/runs/read', 'jobs/read', 'metadata/artifacts/read'] as const;
const writeArtifacts = ['experiments/runs/write', 'jobs/write', 'metadata/artifacts/write'] as const;

const ArtifactName = Type.Object({
  artifactId: Text(),
  origin: Text(),
  container: Text(),
  path: Text(),
});

const ArtifactMetadata = Type.Object({
  ...ArtifactName.properties,
  createdTime: Type.Optional(Text()),
  dataPath: Type.Optional(Type.Object({ dataStoreName: Text(), relativePath: Text() })),
});

const ContentInformation = Type.Object({
  contentUri: Text(),
  origin: Text(),
  container: Text(),
  path: Text(),
});

/** By the path that was asked for, letter for letter. */
const mapOf = <Item extends TObject>(item: Item) =>
  Type.Unsafe<Record<string, Static<Item>>>({ type: 'object', additionalProperties: item });

const Reservation = Type.Object({
  artifacts: mapOf(ArtifactMetadata),
  artifactContentInformation: mapOf(ContentInformation),
  errors: mapOf(Type.Object({ error: Type.Object({ code: Text(), message: Text() }) })),
});

const ArtifactPage = Type.Object({
  value: Type.Array(ArtifactName),
  continuationToken: Type.Optional(Text()),
  nextLink: Type.Optional(Text()),
});

const paths = { paths: List(Type.Object({ path: Text() })) };
const page = { continuation_token: Type.Optional(Text()) };
const onePath = { path: Text() };

/** `{experiment}` says nothing that the run's id does not: its id or its name may stand there. */
const ofRun = { experiment: Text(), run_id: Text() };
const run = '/experiments/{experiment}/runs/{run_id}';
const runPlaces = (rest: string) => ({
  path: `/history/v1.0${run}${rest}`,
  aliases: [
    { path: `/history/v1.0${run.replace('experiments', 'experimentids')}${rest}`, prefixes: ['none'] as const },
  ],
  prefixes: ['none'] as const,
});

const ofContainer = { origin: Text(), container: Text() };
const containerPlace = (rest: string) => ({
  path: `/artifact/v2.0/artifacts/{origin}/{container}${rest}`,
  prefixes: ['none'] as const,
});

export const runHistory = {
  reserveRunArtifacts: endpoint({
    summary: 'Get URLs to upload artifacts of a run or logged model to; what is there already is replaced.',
    method: 'POST',
    ...runPlaces('/artifacts/batch/metadata'),
    actions: writeArtifacts,
    input: Type.Object({ ...ofRun, ...paths }),
    output: Reservation,
  }),
  listRunArtifacts: endpoint({
    summary: 'List all artifacts of a run or logged model, those in folders, too.',
    method: 'GET',
    ...runPlaces('/artifacts'),
    actions: readArtifacts,
    input: Type.Object({ ...ofRun, ...page }),
    output: ArtifactPage,
  }),
  getRunArtifactContent: endpoint({
    summary: 'Get a URL to download an artifact of a run or logged model from.',
    method: 'GET',
    ...runPlaces('/artifacts/contentinfo'),
    actions: readArtifacts,
    input: Type.Object({ ...ofRun, ...onePath }),
    output: ContentInformation,
  }),
  getRunArtifactMetadata: endpoint({
    summary: 'Get what is known of an artifact of a run or logged model.',
    method: 'GET',
    ...runPlaces('/artifacts/metadata'),
    actions: readArtifacts,
    input: Type.Object({ ...ofRun, ...onePath }),
    output: ArtifactMetadata,
  }),
  reserveContainerArtifacts: endpoint({
    summary: 'Get URLs to upload artifacts of a container to, such as a model that is registered from a local folder.',
    method: 'POST',
    ...containerPlace('/batch/metadata'),
    actions: writeArtifacts,
    input: Type.Object({ ...ofContainer, ...paths }),
    output: Reservation,
  }),
  listContainerArtifacts: endpoint({
    summary: 'List all artifacts of a container.',
    method: 'GET',
    ...containerPlace(''),
    actions: readArtifacts,
    input: Type.Object({ ...ofContainer, ...page }),
    output: ArtifactPage,
  }),
  getContainerArtifactContent: endpoint({
    summary: 'Get a URL to download an artifact of a container from.',
    method: 'GET',
    ...containerPlace('/contentinfo'),
    actions: readArtifacts,
    input: Type.Object({ ...ofContainer, ...onePath }),
    output: ContentInformation,
  }),
  getContainerArtifactMetadata: endpoint({
    summary: 'Get what is known of an artifact of a container.',
    method: 'GET',
    ...containerPlace('/metadata'),
    actions: readArtifacts,
    input: Type.Object({ ...ofContainer, ...onePath }),
    output: ArtifactMetadata,
  }),
};
