// The host: what runs in the Node.js process beside a balancerController script. Caddy asks it about clients through a pipe
// and gets the answers through another one; engine.go and answers.go say what is in them. The files of this folder are one function.

const asyncHooks = require('async_hooks');
const diagnostics = require('diagnostics_channel');
const fs = require('fs');
const Module = require('module');
const net = require('net');
const path = require('path');
const url = require('url');
const util = require('util');
const v8 = require('v8');
const vm = require('vm');
const { kill, pid } = process;
const now = setImmediate;

// The pipes, as process.go passes them.
const REQUESTS = 3, ANSWERS = 4, REPLIES = 5, MARK = 6;
// The frames to Caddy, and those that come from there.
const HELLO = 1, READY = 2, BROKEN = 3, ALLOW = 4, BLOCK = 5, FAILED = 6, FOLLOW = 7, KICK = 8, FORGET = 9, LOG = 10, PONG = 11, TARGET = 12, STACK = 13;
const LOAD = 1, LOCAL = 2, DECIDE = 3, LEFT = 4, PING = 5;
const MOST_LOG = 10000;

// Answers are gathered and leave together.
const out = Buffer.allocUnsafeSlow(1 << 16);
let filled = 0, batching = false;

function flush() {
  try {
    for (let sent = 0; sent < filled;) {
      sent += fs.writeSync(ANSWERS, out, sent, filled - sent);
    }
  } catch {
    kill(pid, 'SIGKILL'); // the script has closed the pipe
  }
  filled = 0;
}

// send writes a frame: its kind, a number, and a text with its length.
function send(kind, number, text = '') {
  if (out.length - filled < 9 + 3 * text.length) {
    flush();
  }
  if (filled === 0 && !batching) {
    unowned(flush);
  }
  const size = text === '' ? 0 : out.write(text, filled + 9);
  out[filled] = kind;
  out.writeUInt32LE(number, filled + 1);
  filled = out.writeUInt32LE(size, filled + 5) + size;
}

// ask has Caddy answer a question about a target at once: it waits for the reply, so the answer is never out of date.
function ask(name, host, port) {
  send(TARGET, 0, name + ' ' + port + ' ' + host);
  flush();
  const reply = Buffer.alloc(1000); // more than there can be
  const size = fs.readSync(REPLIES, reply);
  if (size === 0) {
    kill(pid, 'SIGKILL');
  }
  const answer = reply.toString('utf8', 0, size);
  if (answer[0] === '!') {
    throw new Error(answer.slice(1));
  }
  return answer === 'yes';
}
