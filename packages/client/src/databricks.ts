/** Databricks for Node, Deno and Bun: profiles, tokens and OAuth. */
export { connectDatabricks } from './databricks/databricks-connection.ts';
export type { DatabricksConnection } from './databricks/databricks-connection.ts';
export type { SignInOptions } from './credentials/sign-in-context.ts';
