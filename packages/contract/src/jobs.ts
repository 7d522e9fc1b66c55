import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { Int64, Text } from './scalars.ts';

const writeRuns = ['experiments/runs/write', 'jobs/write'] as const;

/** Processes that log to one run with a token of their own, as jobs of Azure Machine Learning do. */
export const jobs = {
  startJob: endpoint({
    summary: 'Get a token for a process that logs to a run: it acts for the caller until the job ends.',
    method: 'POST',
    path: '/api/lazuli/1.0/jobs/start',
    prefixes: ['none'],
    actions: writeRuns,
    input: Type.Object({ run_id: Text() }),
    output: Type.Object({ job_id: Text(), token: Text(), expiry_time: Int64() }),
  }),
  endJob: endpoint({
    summary: 'End a job: its tokens are refused from the next request on.',
    method: 'POST',
    path: '/api/lazuli/1.0/jobs/end',
    prefixes: ['none'],
    actions: writeRuns,
    input: Type.Object({ job_id: Text() }),
    output: Type.Object({}),
  }),
  refreshJobToken: endpoint({
    summary: 'Get a fresh token for the job of a run, as its process does before the old one expires.',
    method: 'GET',
    path: '/history/v1.0/experimentids/{experiment}/runs/{run_id}/token',
    prefixes: ['none'],
    actions: writeRuns,
    input: Type.Object({ experiment: Text(), run_id: Text() }),
    output: Type.Object({ token: Text(), expiryTimeUtc: Text() }),
  }),
};
