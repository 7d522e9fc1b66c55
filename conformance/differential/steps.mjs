// The words in which the topics write requests. A path without a leading slash lies below /api/2.0/mlflow.

const json = { 'content-type': 'application/json' };

function full(path) {
  return path.startsWith('/') ? path : `/api/2.0/mlflow/${path}`;
}

/** A POST of a JSON body; a string is sent as it stands. `keep` names what of the answer later requests use. */
export function post(title, path, body, { keep, headers = json, method = 'POST', only } = {}) {
  const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
  return { title, method, path: full(path), body: text, headers, keep, only };
}

/** A GET with a query: an object, whose lists are repeated keys, or the text behind the question mark. */
export function get(title, path, query = '', { keep, headers, method = 'GET', body, only } = {}) {
  const text = typeof query === 'string' ? query : queryOf(query);
  return { title, method, path: full(path) + (text === '' ? '' : `?${text}`), headers, body, keep, only };
}

/** `$name` stays as it is: it is filled in later. */
function queryOf(query) {
  return Object.entries(query)
    .flatMap(([name, value]) =>
      [value].flat().map((item) => `${name}=${encodeURIComponent(item).replaceAll('%24', '$')}`),
    )
    .join('&');
}

/** A new experiment, known as `$name` from here on. */
export function experiment(name, more = {}) {
  return post(
    `create experiment ${name}`,
    'experiments/create',
    { name: `${name} $u`, ...more },
    { keep: { [name]: 'experiment_id' } },
  );
}

/** A new run in an experiment, known as `$name` from here on. */
export function run(name, experimentName, more = {}) {
  const body = { experiment_id: `$${experimentName}`, start_time: 1000, run_name: name, ...more };
  return post(`create run ${name}`, 'runs/create', body, { keep: { [name]: 'run.info.run_id' } });
}

export const showRun = (title, name) => get(title, 'runs/get', { run_id: `$${name}` });
export const showExperiment = (title, name) => get(title, 'experiments/get', { experiment_id: `$${name}` });
