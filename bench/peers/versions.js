// versions.js PACKAGE...: this Node.js' version and theirs, on one line.
'use strict';

const versions = process.argv.slice(2).map((name) => {
  // Not require(`${name}/package.json`): not every package exports it.
  const { version } = require(`${process.env.NODE_PATH}/${name}/package.json`);
  return `${name} ${version}`;
});
console.log([`Node.js ${process.versions.node}`, ...versions].join(', '));
