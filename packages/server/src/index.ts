/** The tracking server, to be started by the command or embedded in another program. */
export { backUpSqlite } from './database/sqlite/backup.ts';
export type { DatabaseStatus, SchemaStep } from './database/database-status.ts';
export { createClientCertificate } from './identity/client-certificate.ts';
export { identitySecretFile } from './identity/open-authority.ts';
export { openDirectory, openResourceManager, openTokens } from './offline.ts';
export type { OfflineResourceManager } from './offline.ts';
export { readDatabaseStatus, upgradeDatabase } from './open-engine.ts';
export { createServer } from './server.ts';
export type { Server, ServerOptions } from './server.ts';
export { parseSettings, SettingsError } from './settings/parse-settings.ts';
export type { Settings } from './settings/parse-settings.ts';
export { clientUrl, databaseName, pasteLines } from './settings/paste-lines.ts';
export { configOption, settingDefinitions, variablesOf } from './settings/setting-definitions.ts';
export type { SettingDefinition } from './settings/setting-definitions.ts';
export type { MetricsSnapshot } from './telemetry/telemetry.ts';
export { version } from './version.ts';
