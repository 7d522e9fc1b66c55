'use strict';

const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { pathToFileURL } = require('node:url');

const main = join(__dirname, '..', 'dist', 'main.js');

if (existsSync(main)) {
  import(pathToFileURL(main).href);
} else {
  console.error('lazuli is not built yet: run `npm ci` in the root of the checkout.');
  process.exit(1);
}
