'use strict';

// The way of clients through the middlewares, in both runtimes. What a runtime does for it are the functions of native.

const EventEmitter = require('events');
const timers = require('timers');
const { Socket } = require('internal/socket');

const kClient = Symbol('client'); // which inspect passes over

// What is known of a client is an array, which QuickJS makes in a third of the time that it takes for an object.
const STATE = 0, AT = 1, ID = 2, PORT = 3, FLAGS = 4, BATCH = 5, TIMER = 6;

const { now } = Date;
const { prototype } = Socket;
const middlewares = [];

// What module.exports.run gets: as much of a LoadBalancer as can be honoured.
class LoadBalancer extends EventEmitter {
  addMiddleware(type, middleware) {
    if (type !== 'connection') throw new TypeError('balancer.addMiddleware: there is no middleware type "' + String(type) + '"');
    if (typeof middleware !== 'function') throw new TypeError('balancer.addMiddleware: the middleware is not a function');
    middlewares.push(middleware);
  }
  isTargetActive(host, port) { return native.askTarget('isTargetActive', String(host), Number(port)); }
  deactivateTarget(host, port) { native.askTarget('deactivateTarget', String(host), Number(port)); }
  setTargets() {
    throw new Error('balancer.setTargets: not available here: the targets are those of the config; change them there and reload it');
  }
  close() { throw new Error('balancer.close: not available here: a script cannot stop the balancer'); }
}
LoadBalancer.prototype.MIDDLEWARE_CONNECTION = 'connection';

// The constructor would give it a list of listeners, of which events are told though nobody listens.
const balancer = Object.create(LoadBalancer.prototype);

// Returns what f does, or something else if that throws, as what a script has made may do whatever is asked of it.
function attempt(f, otherwise) {
  try {
    return f();
  } catch (error) {
    return otherwise;
  }
}

// What a script gave as a reason as text: the message of an error, else what String makes of it. It goes to the log.
function reason(value) {
  const most = 1000;
  const text = typeof value === 'string' ? value : attempt(() => String(value instanceof Error ? value.message : value), 'a reason that is no text');
  return text.length > most ? text.slice(0, most) + '…' : text;
}

// What a middleware has made of a client: it is asked right now, it will call next later, or there is an answer. In the end the client
// is gone.
const asking = 0, waiting = 1, admitted = 2, keptOut = 3, gone = 4;
const kickable = 1, followed = 2; // flags that Caddy gives

// The sockets of clients that wait, or were let in while the script listens to them, by the clients' numbers. A socket knows its
// client, and not the other way round: so it is gone as soon as the script lets go of it.
const sockets = new Map();
let deciding; // the socket of the client that decide is about
let answer; // what decide returns

// Sockets of clients that were let in are the script's for as long as it holds them. So many of them in a row have one
// object in common, whose end tells that Caddy may forget those clients.
const batchSize = 64, leastLiving = 128;
let batch, living = 0, mostLiving = leastLiving;
const batches = new FinalizationRegistry(({ first, last }) => {
  native.forget(first, last);
  living--;
  mostLiving = Math.max(leastLiving, Math.min(mostLiving, 2 * living));
});

// Begins a batch of clients with the same local end, from the one with the number.
function local(address, port, first) {
  if (batch !== undefined && batch.range.last >= first) batch.range.last = first - 1;
  const range = { first, last: first + batchSize - 1 };
  batch = { address, port, range };
  batches.register(batch, range);
  if (++living > mostLiving) {
    mostLiving = 2 * living;
    native.collect();
  }
}
local(undefined, undefined, 1);

// Asks the middlewares about a client. It returns true if they let the client in, the reason if they keep it out, and
// undefined if the client waits or Caddy has been told already.
function decide(id, remoteAddress, port, flags) {
  const { first, last } = batch.range;
  if (id > last || id < first) local(batch.address, batch.port, id);
  const client = [asking, 0, id, port, flags, batch, undefined];
  deciding = { __proto__: prototype, [kClient]: client, remoteAddress };
  answer = undefined;
  advance(deciding, client);
  if (client[STATE] === waiting) sockets.set(id, deciding);
  deciding = undefined;
  return answer;
}

// Asks one middleware after the other until one does not answer at once, one blocks, or all have let the client in.
function advance(socket, client) {
  while (client[AT] < middlewares.length) {
    const turn = client[AT] + 1;
    client[STATE] = asking;
    const next = (why) => {
      if (client[AT] >= turn) return; // the first call counts
      client[AT] = turn;
      if (why) {
        block(socket, client, why);
      } else if (client[STATE] === waiting) {
        goOn(socket, client);
      }
    };
    let result;
    try {
      result = middlewares[client[AT]](socket, next);
    } catch (error) {
      uncaught(error, client[ID]);
      return;
    }
    if (client[AT] < turn) {
      if (client[STATE] === asking) client[STATE] = waiting;
      if (result instanceof Promise) native.belongs(result, client[ID]);
      return; // it will, and an asynchronous one that throws is seen as a rejection that nothing handles
    }
    if (client[STATE] !== asking) return;
  }
  if (socket === deciding && socket._events === undefined && client[TIMER] === undefined) {
    client[STATE] = admitted;
    answer = true; // decide returns it, which costs less
  } else {
    settle(socket, admitted);
    native.allow(client[ID]);
    if (socket._events !== undefined) follow(socket);
  }
}

// Goes on with the next middleware, on behalf of the client.
function goOn(socket, client) {
  if (client[AT] === middlewares.length) {
    advance(socket, client);
    return;
  }
  const before = native.work(client[ID]);
  try {
    advance(socket, client);
  } finally {
    native.work(before);
  }
}

// Notes that a client has its answer.
function settle(socket, state) {
  const client = socket[kClient];
  client[STATE] = state;
  if (client[TIMER] !== undefined) clearTimeout(client[TIMER]);
  if (socket !== deciding) sockets.delete(client[ID]);
}

// Keeps a client out, and reports whether it waited. A socket that is listened to is told of the end.
function keepOut(socket, text, listened) {
  const { [ID]: id, [STATE]: state } = socket[kClient];
  if (state >= admitted) return false;
  settle(socket, keptOut);
  native.block(id, text);
  if (listened) native.later(hangUp, socket);
  return true;
}

function block(socket, client, why) {
  const text = reason(why);
  if (socket === deciding && client[STATE] === asking && socket._events === undefined && client[TIMER] === undefined && balancer._events === undefined) {
    client[STATE] = keptOut;
    answer = text;
    return;
  }
  if (!keepOut(socket, text, socket._events !== undefined) || balancer.listenerCount('notice') === 0) return;
  try {
    balancer.emit('notice', why);
  } catch (error) {
    uncaught(error);
  }
}

// Has Caddy tell when a client leaves that was let in.
function follow(socket) {
  const { [ID]: id, [FLAGS]: flags } = socket[kClient];
  if ((flags & followed) === 0) return;
  native.follow(id);
  sockets.set(id, socket);
}

// Tells the script that a client's connection is over.
function hangUp(socket) {
  const wasKeptOut = socket[kClient][STATE] === keptOut;
  settle(socket, gone);
  socket._closed(wasKeptOut);
}

function left(id) {
  if (sockets.has(id)) hangUp(sockets.get(id));
}

// What destroy and end of a socket do to the connection.
Socket.hangUp = (socket, method, error) => {
  const { [ID]: id, [STATE]: state, [FLAGS]: flags } = socket[kClient];
  if (state !== admitted) {
    keepOut(socket, 'the script called socket.' + method + '()' + (error ? ': ' + reason(error) : ''), true);
  } else if ((flags & kickable) === 0) {
    throw new Error('socket.' + method + ': the connection was let in already and is not the script\'s any more');
  } else {
    native.kick(id);
    native.later(hangUp, socket);
  }
};
Socket.setTimer = (socket, start) => {
  const client = socket[kClient];
  if (client[STATE] >= admitted) return;
  clearTimeout(client[TIMER]);
  client[TIMER] = start && start();
};
Socket.failed = (error) => { if (balancer.listenerCount('error') > 0) balancer.emit('error', error); };
// Called when a socket has its first listener.
Socket.listens = (socket) => {
  const { [STATE]: state } = socket[kClient];
  if (state === admitted) {
    follow(socket);
  } else if (state > admitted) {
    native.later(hangUp, socket);
  }
};
Socket.ends = (socket) => {
  const { [PORT]: port, [BATCH]: { address, port: localPort } } = socket[kClient];
  return { remotePort: port, localAddress: address, localPort };
};

let emitting = false;

// Deals with what the script throws and does not catch: the client is kept out for whom that was done, if it waits. What listens
// to such errors learns of it and no more.
function uncaught(error, id = native.owner(), event = 'uncaughtException') {
  const socket = deciding !== undefined && deciding[kClient][ID] === id ? deciding : sockets.get(id);
  const waited = socket !== undefined && socket[kClient][STATE] < admitted;
  if (waited) {
    settle(socket, keptOut);
    native.later(hangUp, socket);
  }
  native.failed(waited ? id : 0, describe(error), stackOf(error));
  if (emitting) return; // a listener that throws is not told of it
  emitting = true;
  try {
    Socket.failed(error);
    native.told(error, event);
  } catch (failure) {
    uncaught(failure);
  } finally {
    emitting = false;
  }
}

const stackOf = (error) => attempt(() => error instanceof Error ? String(error.stack).slice(0, 4000) : '', '');

// Makes an error one line that names the place.
function describe(error) {
  const stack = stackOf(error);
  const place = /^(\/.*|[A-Z]:\\.*|file:.*):(\d+)\n/.exec(stack) || // of a syntax error
    /^ +at (?:.* \()?((?:\/|[A-Z]:\\|file:).*):(\d+):(\d+)\)?$/m.exec(stack);
  const message = reason(error);
  const [name, text] = attempt(() => native.words(error instanceof Error ? reason(error.name || '') : '', message), ['', message]);
  const [, file, line, column] = place || [];
  const where = place ? file.replace(/^file:\/\//, '') + ':' + line + (column ? ':' + native.column(line, column) : '') + ': ' : '';
  return where + (name && name !== 'Error' ? name + ': ' : '') + text;
}

// Runs the script, and calls its run function. What the script has begun to read when that is done comes before the first client, for
// a while: a list of who is blocked, without which somebody could come in who must not.
async function load(path, patience) {
  try {
    let exports = await native.enter(path);
    if (!exports || typeof exports.run !== 'function') exports = exports && exports.default; // that of an ES module
    if (!exports || typeof exports.run !== 'function') throw path + ': module.exports.run is not a function';
    await exports.run(balancer);
    for (const until = now() + patience; native.isReading() && now() < until;) {
      await new Promise((done) => { timers.setTimeout(done, 1); });
    }
    native.ready();
  } catch (error) {
    native.broken(describe(error));
  }
}

module.exports = { balancer, decide, local, left, uncaught, load };
