// An insert is a transaction, and with synchronous=FULL it is fsynced when it returns. better-sqlite3 is
// synchronous, which its authors recommend; so there is one fsync for each opt-in.
'use strict';

const Database = require('better-sqlite3');
const { serve } = require('../fastify_optins');

const database = new Database(`${process.env.FOLDER}/optins.sqlite`);
database.pragma('journal_mode = WAL'); // as its documentation recommends
database.pragma('synchronous = FULL'); // in WAL, NORMAL would lose what was acknowledged last
database.exec('CREATE TABLE optins (id INTEGER PRIMARY KEY, email TEXT NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL)');
const insert = database.prepare('INSERT INTO optins (email, body, at) VALUES (?, ?, ?)');

serve(async (optin) => {
  insert.run(optin.email, JSON.stringify(optin), Date.now());
});
