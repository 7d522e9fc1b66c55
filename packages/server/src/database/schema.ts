import type { Generated } from 'kysely';
import type { Int64 } from '@lazuli/contract';

/**
 * The tables, as Kysely sees them. Integer keys (`…_key`, `workspace_id`) are interned identities that never leave the
 * server; everything else is spelled as MLflow spells it on the wire. Times are Unix milliseconds. An `Int64` column comes
 * back as a number where a double holds it exactly and as a bigint otherwise.
 */
export interface Tables {
  workspaces: WorkspaceTable;
  experiments: ExperimentTable;
  experiment_tags: ExperimentTagTable;
  runs: RunTable;
  run_params: RunTextTable;
  run_tags: RunTextTable;
  metric_keys: MetricKeyTable;
  metric_points: MetricPointTable;
  latest_metrics: LatestMetricTable;
  metric_log: MetricLogTable;
  datasets: DatasetTable;
  run_inputs: RunInputTable;
  run_input_tags: RunInputTagTable;
  run_models: RunModelTable;
  api_tokens: ApiTokenTable;
  change_counts: ChangeCountTable;
  run_requests: RunRequestTable;
  logged_models: LoggedModelTable;
  logged_model_params: LoggedModelTextTable;
  logged_model_tags: LoggedModelTextTable;
  logged_model_metrics: LoggedModelMetricTable;
  registered_models: RegisteredModelTable;
  registered_model_tags: RegisteredModelTagTable;
  model_versions: ModelVersionTable;
  model_version_tags: ModelVersionTagTable;
  model_aliases: ModelAliasTable;
  registry_changes: RegistryChangeTable;
  collections: CollectionTable;
  removals: RemovalTable;
  tenants: TenantTable;
  directory_objects: DirectoryObjectTable;
  directory_members: DirectoryMemberTable;
  directory_credentials: DirectoryCredentialTable;
  signing_keys: SigningKeyTable;
  authority_grants: AuthorityGrantTable;
  sign_in_failures: SignInFailureTable;
  resource_groups: ResourceGroupTable;
  role_definitions: RoleDefinitionTable;
  role_assignments: RoleAssignmentTable;
  deployments: DeploymentTable;
  secrets: SecretTable;
  jobs: JobTable;
}

export interface WorkspaceTable {
  workspace_id: Generated<number>;
  /** Names the workspace's folder in every artifact root: experiment ids repeat between workspaces. */
  guid: string;
  subscription_id: string;
  resource_group: string;
  name: string;
  region: string;
  description: string | null;
  default_artifact_root: string | null;
  next_experiment_id: number;
  next_model_key: Generated<number>;
  creation_time: number;
  last_update_time: Generated<number>;
  /** A JSON object of texts. */
  tags: Generated<string>;
  /** A JSON object: what Azure's clients have said about it beyond the columns, which they get back. */
  properties: Generated<string>;
  /** 1 where it is reached under a host name of its own. */
  private_link: Generated<number>;
}

export interface ResourceGroupTable {
  subscription_id: string;
  name: string;
  location: string;
  tags: string;
}

export interface DeploymentTable {
  /** Its id in small letters. */
  deployment_key: string;
  /** JSON, as clients get it. */
  body: string;
}

/** Custom roles; those of Azure are built in. Lists are JSON. */
export interface RoleDefinitionTable {
  role_id: string;
  name: string;
  description: string;
  actions: string;
  not_actions: string;
  assignable_scopes: string;
  creation_time: number;
  update_time: number;
}

export interface RoleAssignmentTable {
  assignment_id: string;
  scope: string;
  /** The scope in small letters. */
  scope_key: string;
  role_id: string;
  principal_id: string;
  principal_type: string;
  description: string | null;
  created_by: string;
  creation_time: number;
}

export interface ExperimentTable {
  workspace_id: number;
  /** Counts from 0 within its workspace; the wire shows it as a string. */
  experiment_id: number;
  name: string;
  artifact_location: string;
  lifecycle_stage: string;
  creation_time: number;
  last_update_time: number;
}

export interface ExperimentTagTable {
  workspace_id: number;
  experiment_id: number;
  key: string;
  value: string;
}

export interface RunTable {
  run_key: number;
  workspace_id: number;
  run_id: string;
  experiment_id: number;
  run_name: string;
  user_id: string;
  status: string;
  start_time: Int64;
  end_time: Int64 | null;
  lifecycle_stage: string;
  deleted_time: number | null;
  artifact_uri: string;
}

/** Params and tags have one shape: text by key, within a run. */
export interface RunTextTable {
  workspace_id: number;
  run_key: number;
  key: string;
  value: string;
}

/** Metric keys are interned within their experiment. */
export interface MetricKeyTable {
  metric_key: number;
  workspace_id: number;
  experiment_id: number;
  key: string;
}

/** One series is (run_key, metric_key); its rows lie in the order of history: timestamp, step, value. */
export interface MetricPointTable {
  workspace_id: number;
  run_key: number;
  metric_key: number;
  timestamp: Int64;
  step: Int64;
  /** 0 where `is_nan` is 1: SQLite stores NaN as NULL. */
  value: number;
  is_nan: number;
}

/** The point of each series that is greatest by (step, timestamp, value). */
export interface LatestMetricTable {
  workspace_id: number;
  run_key: number;
  metric_key: number;
  timestamp: Int64;
  step: Int64;
  value: number;
  is_nan: number;
}

/** Points that are durable but not yet in their place: one blob a commit (metric-store/point-log.ts). */
export interface MetricLogTable {
  seq: number;
  points: Uint8Array;
}

export interface DatasetTable {
  dataset_key: Generated<number>;
  workspace_id: number;
  experiment_id: number;
  name: string;
  digest: string;
  source_type: string;
  source: string;
  schema: string | null;
  profile: string | null;
}

export interface RunInputTable {
  workspace_id: number;
  run_key: number;
  dataset_key: number;
}

export interface RunInputTagTable {
  workspace_id: number;
  run_key: number;
  dataset_key: number;
  key: string;
  value: string;
}

/** Logged models that a run names as input or output. */
export interface RunModelTable {
  workspace_id: number;
  run_key: number;
  direction: 'input' | 'output';
  model_id: string;
  step: Int64;
}

export interface ApiTokenTable {
  token_id: string;
  /** SHA-256 of the secret, hex. The secret has 256 random bits, so a slow hash adds nothing. */
  secret_hash: string;
  principal: string;
  role: string;
  /** null: every workspace. */
  workspace_id: number | null;
  creation_time: number;
  expiry_time: number | null;
}

/** How often something was changed that processes keep in memory (database/change-watch.ts). */
export interface ChangeCountTable {
  subject: 'access';
  changes: number;
}

/** Requests to create a run that carried an id of their own, so that the same one again makes no second run. */
export interface RunRequestTable {
  workspace_id: number;
  request_id: string;
  run_key: number;
}

export interface RegisteredModelTable {
  workspace_id: number;
  /** Counts within its workspace and is never given out again, because changes outlive their model. */
  model_key: number;
  name: string;
  description: string | null;
  user_id: string;
  /** The number that the next version gets. */
  next_version: number;
  creation_timestamp: number;
  last_updated_timestamp: number;
}

export interface RegisteredModelTagTable {
  workspace_id: number;
  model_key: number;
  key: string;
  value: string;
}

export interface ModelVersionTable {
  workspace_id: number;
  model_key: number;
  version: number;
  user_id: string;
  current_stage: string;
  description: string | null;
  source: string;
  /** Where the files lie: the source, or what it stood for when the version was created. */
  storage_location: string;
  run_id: string;
  run_link: string;
  model_id: string | null;
  status: string;
  status_message: string | null;
  creation_timestamp: number;
  last_updated_timestamp: number;
}

export interface ModelVersionTagTable {
  workspace_id: number;
  model_key: number;
  version: number;
  key: string;
  value: string;
}

export interface ModelAliasTable {
  workspace_id: number;
  model_key: number;
  alias: string;
  version: number;
}

/** Who changed what in the model registry; rows are only ever added. */
export interface RegistryChangeTable {
  change_key: Generated<number>;
  workspace_id: number;
  model_key: number;
  timestamp: number;
  principal: string;
  kind: string;
  /** The model's name after the change. */
  name: string;
  version: number | null;
  /** The tag's key, or the alias. */
  key: string | null;
  old_value: string | null;
  new_value: string | null;
}

/** Who has emptied a workspace, and of how much. */
export interface CollectionTable {
  collection_id: Generated<number>;
  workspace_id: number;
  principal: string;
  start_time: number;
  end_time: number;
  older_than_ms: number;
  runs: number;
  experiments: number;
  logged_models: number;
}

/** What is left of a run or of a logged model that was collected: points and files that are still to be removed. */
export interface RemovalTable {
  removal_key: Generated<number>;
  workspace_id: number;
  collection_id: number;
  run_key: number | null;
  model_key: number | null;
  location: string;
  /** When removing it failed last. */
  failure_time: number | null;
}

export interface LoggedModelTable {
  model_key: Generated<number>;
  workspace_id: number;
  model_id: string;
  experiment_id: number;
  name: string;
  artifact_uri: string;
  creation_timestamp_ms: number;
  last_updated_timestamp_ms: number;
  status: string;
  /** `active`, `deleted`, or `collected`: nobody sees it any more, and its rows go with its files. */
  lifecycle_stage: string;
  /** Empty where the client gave none, as is `source_run_id`. */
  model_type: string;
  source_run_id: string;
}

/** Params and tags of logged models. */
export interface LoggedModelTextTable {
  workspace_id: number;
  model_key: number;
  key: string;
  value: string;
}

/** A point of a run's metric that is linked with a model, and with a dataset or (both texts empty) with none. */
export interface LoggedModelMetricTable {
  workspace_id: number;
  model_key: number;
  metric_key: number;
  timestamp: Int64;
  step: Int64;
  run_key: number;
  dataset_name: string;
  dataset_digest: string;
  is_nan: number;
  value: number;
}

/** The directory's tenants; the one at position 0 is the default one. */
export interface TenantTable {
  tenant_id: string;
  position: number;
  domain: string;
  creation_time: number;
}

/** Users, groups and service principals. */
export interface DirectoryObjectTable {
  object_id: string;
  kind: 'User' | 'Group' | 'ServicePrincipal';
  display_name: string;
  /** In small letters, of users alone. */
  user_name: string | null;
  /** Of service principals alone. */
  app_id: string | null;
  /** scrypt, with its salt and its cost (identity/password.ts). */
  password_hash: string | null;
  /** A JSON list. */
  redirect_uris: string;
  disabled: number;
  creation_time: number;
}

export interface DirectoryMemberTable {
  group_id: string;
  member_id: string;
}

export interface DirectoryCredentialTable {
  credential_id: string;
  object_id: string;
  kind: 'secret' | 'certificate' | 'federated';
  display_name: string;
  /** SHA-256 of a secret, hex: it has 256 random bits. */
  secret_hash: string | null;
  /** PEM. */
  certificate: string | null;
  /** SHA-256 of the certificate, hex. */
  thumbprint: string | null;
  /** JSON: whose tokens sign in, under which subject and audiences. */
  federation: string | null;
  creation_time: number;
  expiry_time: number;
}

export interface SigningKeyTable {
  key_id: string;
  public_jwk: string;
  /** PKCS#8, encrypted (identity/sealed-box.ts). */
  sealed_private: string;
  /** Names the key that it is encrypted under. */
  sealed_under: string;
  active_from: number;
  creation_time: number;
}

/** What the authority has given out and takes back: authorization codes, device codes, refresh tokens; and assertions that were used. */
export interface AuthorityGrantTable {
  /** SHA-256 of the code or token, hex. */
  grant_hash: string;
  kind: 'code' | 'device' | 'refresh' | 'assertion';
  /** Codes and the refresh tokens that came of them fall together. */
  family: string;
  object_id: string | null;
  user_code: string | null;
  /** 'replayed': a code that was brought again after its use. */
  state: 'open' | 'approved' | 'declined' | 'used' | 'replayed';
  /** JSON, by kind. */
  detail: string;
  expiry_time: number;
}

/** Sign-ins that failed in a row, by user name. */
export interface SignInFailureTable {
  subject: string;
  failures: number;
  blocked_until: number;
}

/** Secrets that the server makes for itself. */
export interface SecretTable {
  name: string;
  /** Encrypted (identity/sealed-box.ts). */
  sealed: string;
  /** Names the key that it is encrypted under. */
  sealed_under: string;
}

/** Processes that log with a token of their own, for as long as they run. */
export interface JobTable {
  /** Stands in the token. */
  job_id: string;
  workspace_id: number;
  run_id: string;
  /** Whose rights the job has, as JSON. */
  acting_for: string;
  creation_time: number;
  end_time: number | null;
}
