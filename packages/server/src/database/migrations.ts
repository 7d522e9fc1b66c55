/**
 * The schema as a list of numbered steps, forward only, one list for both engines. A step that a release has shipped is
 * never edited; a change is a new step. The number of the last step is the schema version that a database carries.
 */
export interface ColumnTypes {
  /** A 64-bit integer. */
  readonly int64: string;
  /** A 64-bit integer primary key that the database can generate. */
  readonly identity: string;
  readonly double: string;
  /** Text in code point order, whatever the database's locale. */
  readonly text: string;
  readonly blob: string;
  /** Follows the closing bracket of a table whose rows are stored in the order of its primary key. */
  readonly clustered: string;
  /** Follows the closing bracket of a table whose rows change over and over. */
  readonly changing: string;
  /** Columns that change over and over, as part of an index: with a comma behind them, or left out. */
  readonly changingInIndex: (columns: string) => string;
  /** A text column as an index holds it: itself, or its first `length` characters. */
  readonly indexedText: (column: string, length: number) => string;
}

export interface Migration {
  readonly version: number;
  readonly name: string;
  statements(types: ColumnTypes): readonly string[];
}

/** As many leading characters of a param's or tag's value an index holds where it cannot hold all: PostgreSQL refuses entries over 2,704 bytes. */
export const indexedValueLength = 128;

export const migrations: readonly Migration[] = [
  {
    version: 1,
    name: 'tracking core',
    statements: ({ int64, identity, double, text, blob, clustered, changing, changingInIndex, indexedText }) => [
      `create table workspaces (
        workspace_id ${identity},
        guid ${text} not null unique,
        subscription_id ${text} not null,
        resource_group ${text} not null,
        name ${text} not null,
        region ${text} not null,
        description ${text},
        default_artifact_root ${text},
        next_experiment_id ${int64} not null,
        creation_time ${int64} not null,
        unique (subscription_id, resource_group, name)
      )`,
      `create table experiments (
        workspace_id ${int64} not null references workspaces (workspace_id),
        experiment_id ${int64} not null,
        name ${text} not null,
        artifact_location ${text} not null,
        lifecycle_stage ${text} not null,
        creation_time ${int64} not null,
        last_update_time ${int64} not null,
        primary key (workspace_id, experiment_id),
        unique (workspace_id, name)
      )`,
      `create index experiments_by_creation on experiments (workspace_id, creation_time desc, experiment_id)`,
      `create table experiment_tags (
        workspace_id ${int64} not null,
        experiment_id ${int64} not null,
        key ${text} not null,
        value ${text} not null,
        primary key (workspace_id, experiment_id, key),
        foreign key (workspace_id, experiment_id) references experiments (workspace_id, experiment_id)
      )${clustered}`,
      `create table runs (
        run_key ${identity},
        workspace_id ${int64} not null,
        run_id ${text} not null,
        experiment_id ${int64} not null,
        run_name ${text} not null,
        user_id ${text} not null,
        status ${text} not null,
        start_time ${int64} not null,
        end_time ${int64},
        lifecycle_stage ${text} not null,
        deleted_time ${int64},
        artifact_uri ${text} not null,
        unique (workspace_id, run_id),
        foreign key (workspace_id, experiment_id) references experiments (workspace_id, experiment_id)
      )`,
      `create index runs_by_start on runs (workspace_id, experiment_id, start_time desc, run_id, lifecycle_stage)`,
      ...['run_params', 'run_tags'].flatMap((table) => [
        `create table ${table} (
          workspace_id ${int64} not null,
          run_key ${int64} not null,
          key ${text} not null,
          value ${text} not null,
          primary key (workspace_id, run_key, key)
        )${clustered}`,
        // The value comes first: where there are no statistics, PostgreSQL would else take it for as good a way to one run's row as the
        // primary key, and read the rows that all runs have of the key.
        `create index ${table}_by_value on ${table} (workspace_id, ${indexedText('value', indexedValueLength)}, key, run_key)`,
      ]),
      `create table metric_keys (
        metric_key ${identity},
        workspace_id ${int64} not null,
        experiment_id ${int64} not null,
        key ${text} not null,
        unique (workspace_id, experiment_id, key)
      )`,
      `create table metric_points (
        workspace_id ${int64} not null,
        run_key ${int64} not null,
        metric_key ${int64} not null,
        timestamp ${int64} not null,
        step ${int64} not null,
        value ${double} not null,
        is_nan ${int64} not null,
        primary key (workspace_id, run_key, metric_key, timestamp, step, is_nan, value)
      )${clustered}`,
      `create table latest_metrics (
        workspace_id ${int64} not null,
        run_key ${int64} not null,
        metric_key ${int64} not null,
        timestamp ${int64} not null,
        step ${int64} not null,
        value ${double} not null,
        is_nan ${int64} not null,
        primary key (workspace_id, run_key, metric_key)
      )${clustered}${changing}`,
      `create index latest_metrics_by_value on latest_metrics (workspace_id, metric_key, ${changingInIndex('is_nan, value')}run_key)`,
      `create table metric_log (
        seq ${identity},
        points ${blob} not null
      )`,
      `create table datasets (
        dataset_key ${identity},
        workspace_id ${int64} not null,
        experiment_id ${int64} not null,
        name ${text} not null,
        digest ${text} not null,
        source_type ${text} not null,
        source ${text} not null,
        schema ${text},
        profile ${text},
        unique (workspace_id, experiment_id, name, digest)
      )`,
      `create table run_inputs (
        workspace_id ${int64} not null,
        run_key ${int64} not null,
        dataset_key ${int64} not null,
        primary key (workspace_id, run_key, dataset_key)
      )${clustered}`,
      `create index run_inputs_by_dataset on run_inputs (workspace_id, dataset_key, run_key)`,
      `create table run_input_tags (
        workspace_id ${int64} not null,
        run_key ${int64} not null,
        dataset_key ${int64} not null,
        key ${text} not null,
        value ${text} not null,
        primary key (workspace_id, run_key, dataset_key, key)
      )${clustered}`,
      `create table run_models (
        workspace_id ${int64} not null,
        run_key ${int64} not null,
        direction ${text} not null,
        model_id ${text} not null,
        step ${int64} not null,
        primary key (workspace_id, run_key, direction, model_id, step)
      )${clustered}`,
      `create table api_tokens (
        token_id ${text} not null primary key,
        secret_hash ${text} not null unique,
        principal ${text} not null,
        role ${text} not null,
        workspace_id ${int64} references workspaces (workspace_id),
        creation_time ${int64} not null,
        expiry_time ${int64}
      )`,
    ],
  },
  {
    version: 2,
    name: 'several processes',
    statements: ({ int64, text, clustered }) => [
      `create table change_counts (
        subject ${text} not null primary key,
        changes ${int64} not null
      )${clustered}`,
      `insert into change_counts (subject, changes) values ('access', 0)`,
      `create table run_requests (
        workspace_id ${int64} not null,
        request_id ${text} not null,
        run_key ${int64} not null,
        primary key (workspace_id, request_id)
      )${clustered}`,
    ],
  },
  {
    version: 3,
    name: 'model registry',
    statements: ({ int64, identity, text, clustered }) => [
      `alter table workspaces add column next_model_key ${int64} not null default 1`,
      `create table registered_models (
        workspace_id ${int64} not null references workspaces (workspace_id),
        model_key ${int64} not null,
        name ${text} not null,
        description ${text},
        user_id ${text} not null,
        next_version ${int64} not null,
        creation_timestamp ${int64} not null,
        last_updated_timestamp ${int64} not null,
        primary key (workspace_id, model_key),
        unique (workspace_id, name)
      )`,
      `create table registered_model_tags (
        workspace_id ${int64} not null,
        model_key ${int64} not null,
        key ${text} not null,
        value ${text} not null,
        primary key (workspace_id, model_key, key),
        foreign key (workspace_id, model_key) references registered_models (workspace_id, model_key)
      )${clustered}`,
      `create table model_versions (
        workspace_id ${int64} not null,
        model_key ${int64} not null,
        version ${int64} not null,
        user_id ${text} not null,
        current_stage ${text} not null,
        description ${text},
        source ${text} not null,
        storage_location ${text} not null,
        run_id ${text} not null,
        run_link ${text} not null,
        model_id ${text},
        status ${text} not null,
        status_message ${text},
        creation_timestamp ${int64} not null,
        last_updated_timestamp ${int64} not null,
        primary key (workspace_id, model_key, version),
        foreign key (workspace_id, model_key) references registered_models (workspace_id, model_key)
      )`,
      `create index model_versions_by_update on model_versions (workspace_id, last_updated_timestamp)`,
      `create table model_version_tags (
        workspace_id ${int64} not null,
        model_key ${int64} not null,
        version ${int64} not null,
        key ${text} not null,
        value ${text} not null,
        primary key (workspace_id, model_key, version, key),
        foreign key (workspace_id, model_key, version) references model_versions (workspace_id, model_key, version)
      )${clustered}`,
      `create table model_aliases (
        workspace_id ${int64} not null,
        model_key ${int64} not null,
        alias ${text} not null,
        version ${int64} not null,
        primary key (workspace_id, model_key, alias),
        foreign key (workspace_id, model_key, version) references model_versions (workspace_id, model_key, version)
      )${clustered}`,
      `create index model_aliases_by_version on model_aliases (workspace_id, model_key, version)`,
      // A change outlives its model, so it refers to none.
      `create table registry_changes (
        change_key ${identity},
        workspace_id ${int64} not null,
        model_key ${int64} not null,
        timestamp ${int64} not null,
        principal ${text} not null,
        kind ${text} not null,
        name ${text} not null,
        version ${int64},
        key ${text},
        old_value ${text},
        new_value ${text}
      )`,
      `create index registry_changes_by_model on registry_changes (workspace_id, model_key, change_key)`,
      `create index registry_changes_by_key on registry_changes (workspace_id, model_key, kind, key, change_key)`,
      `create index registry_changes_by_name on registry_changes (workspace_id, name, change_key)`,
    ],
  },
  {
    version: 4,
    name: 'logged models',
    statements: ({ int64, identity, double, text, clustered }) => [
      `create table logged_models (
        model_key ${identity},
        workspace_id ${int64} not null,
        model_id ${text} not null,
        experiment_id ${int64} not null,
        name ${text} not null,
        artifact_uri ${text} not null,
        creation_timestamp_ms ${int64} not null,
        last_updated_timestamp_ms ${int64} not null,
        status ${text} not null,
        lifecycle_stage ${text} not null,
        model_type ${text} not null,
        source_run_id ${text} not null,
        unique (workspace_id, model_id),
        foreign key (workspace_id, experiment_id) references experiments (workspace_id, experiment_id)
      )`,
      `create index logged_models_by_creation
        on logged_models (workspace_id, experiment_id, creation_timestamp_ms desc, model_id)`,
      `create index logged_models_by_run on logged_models (workspace_id, source_run_id)`,
      ...['logged_model_params', 'logged_model_tags'].map(
        (table) => `create table ${table} (
          workspace_id ${int64} not null,
          model_key ${int64} not null,
          key ${text} not null,
          value ${text} not null,
          primary key (workspace_id, model_key, key)
        )${clustered}`,
      ),
      `create table logged_model_metrics (
        workspace_id ${int64} not null,
        model_key ${int64} not null,
        metric_key ${int64} not null,
        timestamp ${int64} not null,
        step ${int64} not null,
        run_key ${int64} not null,
        dataset_name ${text} not null,
        dataset_digest ${text} not null,
        is_nan ${int64} not null,
        value ${double} not null,
        primary key (
          workspace_id, model_key, metric_key, timestamp, step, run_key, dataset_name, dataset_digest, is_nan, value
        )
      )${clustered}`,
    ],
  },
  {
    version: 5,
    name: 'end of life',
    statements: ({ int64, identity, text }) => [
      // What keeps a deleted run or logged model from being collected is asked for by these.
      `create index model_versions_by_logged_model on model_versions (workspace_id, model_id) where model_id is not null`,
      `create index model_versions_by_run on model_versions (workspace_id, run_id)`,
      `create index run_models_by_model on run_models (workspace_id, model_id, run_key)`,
      `create index runs_deleted on runs (workspace_id, run_key) where lifecycle_stage = 'deleted'`,
      `create index run_requests_by_run on run_requests (workspace_id, run_key)`,
      `create index logged_model_metrics_by_run on logged_model_metrics (workspace_id, run_key)`,
      `create table collections (
        collection_id ${identity},
        workspace_id ${int64} not null references workspaces (workspace_id),
        principal ${text} not null,
        start_time ${int64} not null,
        end_time ${int64} not null,
        older_than_ms ${int64} not null,
        runs ${int64} not null,
        experiments ${int64} not null,
        logged_models ${int64} not null
      )`,
      `create index collections_by_workspace on collections (workspace_id, collection_id)`,
      // Points and files outlive what they belonged to until they are removed, so this refers to neither.
      `create table removals (
        removal_key ${identity},
        workspace_id ${int64} not null,
        collection_id ${int64} not null,
        run_key ${int64},
        model_key ${int64},
        location ${text} not null,
        failure_time ${int64}
      )`,
      `create index removals_by_workspace on removals (workspace_id, removal_key)`,
    ],
  },
  {
    version: 6,
    name: 'identity',
    statements: ({ int64, text, clustered }) => [
      `create table tenants (
        tenant_id ${text} not null primary key,
        position ${int64} not null unique,
        domain ${text} not null,
        creation_time ${int64} not null
      )`,
      `create table directory_objects (
        object_id ${text} not null primary key,
        kind ${text} not null,
        display_name ${text} not null,
        user_name ${text} unique,
        app_id ${text} unique,
        password_hash ${text},
        redirect_uris ${text} not null,
        disabled ${int64} not null,
        creation_time ${int64} not null
      )`,
      `create index directory_objects_by_kind on directory_objects (kind, display_name, object_id)`,
      `create table directory_members (
        group_id ${text} not null references directory_objects (object_id),
        member_id ${text} not null references directory_objects (object_id),
        primary key (group_id, member_id)
      )${clustered}`,
      `create index directory_members_by_member on directory_members (member_id, group_id)`,
      `create table directory_credentials (
        credential_id ${text} not null primary key,
        object_id ${text} not null references directory_objects (object_id),
        kind ${text} not null,
        display_name ${text} not null,
        secret_hash ${text} unique,
        certificate ${text},
        thumbprint ${text},
        creation_time ${int64} not null,
        expiry_time ${int64} not null
      )`,
      `create index directory_credentials_by_object on directory_credentials (object_id, creation_time)`,
      `create table signing_keys (
        key_id ${text} not null primary key,
        public_jwk ${text} not null,
        sealed_private ${text} not null,
        sealed_under ${text} not null,
        active_from ${int64} not null,
        creation_time ${int64} not null
      )`,
      `create table authority_grants (
        grant_hash ${text} not null primary key,
        kind ${text} not null,
        family ${text} not null,
        object_id ${text},
        user_code ${text} unique,
        state ${text} not null,
        detail ${text} not null,
        expiry_time ${int64} not null
      )`,
      `create index authority_grants_by_family on authority_grants (family)`,
      `create index authority_grants_by_object on authority_grants (object_id)`,
      `create index authority_grants_by_expiry on authority_grants (expiry_time)`,
      `create table sign_in_failures (
        subject ${text} not null primary key,
        failures ${int64} not null,
        blocked_until ${int64} not null
      )${clustered}`,
    ],
  },
  {
    version: 7,
    name: 'roles and resource groups',
    statements: ({ int64, text, clustered }) => [
      `alter table workspaces add column last_update_time ${int64} not null default 0`,
      `update workspaces set last_update_time = creation_time`,
      `alter table workspaces add column tags ${text} not null default '{}'`,
      `alter table workspaces add column properties ${text} not null default '{}'`,
      `alter table workspaces add column private_link ${int64} not null default 0`,
      // Azure compares names without regard to case.
      `create unique index workspaces_by_place on workspaces (lower(subscription_id), lower(resource_group), lower(name))`,
      `create table resource_groups (
        subscription_id ${text} not null,
        name ${text} not null,
        location ${text} not null,
        tags ${text} not null,
        primary key (subscription_id, name)
      )${clustered}`,
      `create unique index resource_groups_by_name on resource_groups (lower(subscription_id), lower(name))`,
      `insert into resource_groups (subscription_id, name, location, tags)
        select subscription_id, resource_group, min(region), '{}' from workspaces
        group by subscription_id, resource_group`,
      `create table role_definitions (
        role_id ${text} primary key,
        name ${text} not null unique,
        description ${text} not null,
        actions ${text} not null,
        not_actions ${text} not null,
        assignable_scopes ${text} not null,
        creation_time ${int64} not null,
        update_time ${int64} not null
      )`,
      `create table role_assignments (
        assignment_id ${text} primary key,
        scope ${text} not null,
        scope_key ${text} not null,
        role_id ${text} not null,
        principal_id ${text} not null,
        principal_type ${text} not null,
        description ${text},
        created_by ${text} not null,
        creation_time ${int64} not null,
        unique (scope_key, principal_id, role_id)
      )`,
      `create table deployments (deployment_key ${text} primary key, body ${text} not null)`,
    ],
  },
  {
    version: 8,
    name: 'secrets and jobs',
    statements: ({ int64, text }) => [
      `create table secrets (
        name ${text} not null,
        sealed_under ${text} not null,
        sealed ${text} not null,
        primary key (name, sealed_under)
      )`,
      `create table jobs (
        job_id ${text} not null primary key,
        workspace_id ${int64} not null,
        run_id ${text} not null,
        acting_for ${text} not null,
        creation_time ${int64} not null,
        end_time ${int64}
      )`,
      `create index jobs_by_workspace on jobs (workspace_id)`,
    ],
  },
  {
    version: 9,
    name: 'federated credentials',
    statements: ({ text }) => [`alter table directory_credentials add column federation ${text}`],
  },
];
