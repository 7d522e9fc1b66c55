import { DatabaseSync, StatementSync, type StatementResultingChanges } from 'node:sqlite';
import { ordersIn } from './writer-orders.ts';

/** Loaded into every thread of a server: lets a test give orders to its writing connection, and changes nothing without. */
const folder = new URL(import.meta.url).searchParams.get('folder');
if (folder === null) throw new TypeError('Which folder holds the orders?');
const orders = ordersIn(folder);

/** SQLITE_IOERR_FSYNC */
const syncFailed = 1034;
const full = 2;
const mostPages = 4_294_967_294;
const databases = new WeakMap<StatementSync, DatabaseSync>();
/** Connections in a transaction that writes; readers have transactions, too. */
const writing = new WeakSet<DatabaseSync>();
const prepare = Reflect.get(DatabaseSync.prototype, 'prepare');
const run = Reflect.get(StatementSync.prototype, 'run');

DatabaseSync.prototype.prepare = function (this: DatabaseSync, ...args) {
  const statement = prepare.apply(this, args);
  databases.set(statement, this);
  return statement;
};

StatementSync.prototype.run = function (this: StatementSync, ...values) {
  const database = databases.get(this);
  if (database !== undefined && this.sourceSQL === 'begin immediate') {
    // SQLite takes a limit below the present size for that size.
    database.exec(`pragma max_page_count = ${orders.current().size === 'fixed' ? 1 : mostPages}`);
    writing.add(database);
  }
  if (database !== undefined && this.sourceSQL === 'commit' && writing.delete(database) && isDurable(database)) {
    obeyAtCommit();
  }
  return Reflect.apply(run, this, values) as StatementResultingChanges;
};

/** What SQLite itself says about the connection, whatever was asked of it before. */
function isDurable(database: DatabaseSync): boolean {
  return prepare.call(database, 'pragma synchronous').get()?.['synchronous'] === full;
}

function obeyAtCommit(): void {
  const order = orders.current().commit;
  if (order === 'fail') throw Object.assign(new Error('disk I/O error'), { errcode: syncFailed });
  if (order !== 'hold') return;
  orders.holding('begins');
  // Only this thread waits, as it would for a slow disk.
  const clock = new Int32Array(new SharedArrayBuffer(4));
  while (orders.current().commit === 'hold') Atomics.wait(clock, 0, 0, 2);
  orders.holding('ends');
}
