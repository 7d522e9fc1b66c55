import { DatabaseSync } from 'node:sqlite';

/** Loaded into every thread of a server to take its durability away: what must then fail shows what otherwise holds. */
const prototype = DatabaseSync.prototype;
const exec = Reflect.get(prototype, 'exec');

prototype.exec = function (this: DatabaseSync, sql: string): void {
  exec.call(this, sql.replaceAll(/synchronous = \w+/g, 'synchronous = off'));
};
