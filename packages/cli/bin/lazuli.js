#!/usr/bin/env node
/*
 * Written so that any Node can parse it, however old: what it says to an old one is the point. The newer syntax is in
 * start.js, which only a Node that is new enough gets to see.
 */
'use strict';

var needed = 24;
var major = parseInt(process.versions.node, 10);

if (major < needed) {
  console.error('lazuli needs Node ' + needed + ' or newer, and this is Node ' + process.versions.node + '.');
  process.exit(1);
}

require('./start.js');
