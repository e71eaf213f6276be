'use strict';

// The way of clients through the middlewares, in both runtimes. What a runtime does for it are the functions of native.

const EventEmitter = require('events');
const { Socket } = require('internal/socket');

const kChain = Symbol('chain'); // which inspect passes over

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

// What a script gave as a reason as text: the message of an error, else what String makes of it. It goes to the log.
function reason(value) {
  const most = 1000;
  let text = 'a reason that is no text';
  try {
    text = typeof value === 'string' ? value : String(value instanceof Error ? value.message : value);
  } catch (error) {
    // It is none.
  }
  return text.length > most ? text.slice(0, most) + '…' : text;
}

// What decide returns, unless it is the reason to keep a client out; embedded/client.go and node/js/clients.js have it, too.
const letIn = 0, waits = 1, follows = 2, isSettled = 3;

// A chain is a client's way through the middlewares, whose state is one of these.
const open = 0, admitted = 1, keptOut = 2, gone = 3;

// The chain that decide has begun, of which it returns the outcome.
let deciding = null;

// Asks the middlewares about a client. Its socket is a handle, by which the event loop knows the client.
function decide(socket, remoteAddress) {
  socket.remoteAddress = remoteAddress;
  const chain = deciding = { socket, at: 0, state: open, running: false }; // reason and timer come when they are needed
  try {
    advance(chain);
  } catch (error) {
    if (chain.reason !== undefined) native.settle(socket, chain.reason, false); // the first answer counts
    throw error;
  } finally {
    deciding = null;
  }
  if (chain.state === open) {
    keep(chain);
    return waits;
  }
  if (chain.state === admitted) return socket._events === undefined ? letIn : follows;
  return chain.reason === undefined ? isSettled : chain.reason;
}

// Notes that a socket has more to tell of than most.
function keep(chain) { chain.socket[kChain] = chain; }

const chainOf = (socket) => (deciding !== null && deciding.socket === socket ? deciding : socket[kChain]);

// Asks one middleware after the other until one does not answer at once, one blocks, or all have let the client in.
function advance(chain) {
  while (chain.at < middlewares.length) {
    const turn = chain.at + 1;
    chain.running = true;
    const result = middlewares[chain.at](chain.socket, (why) => {
      if (chain.at >= turn) return; // the first call counts
      chain.at = turn;
      if (why) {
        block(chain, why);
      } else if (!chain.running && chain.state === open) {
        goOn(chain);
      }
    });
    chain.running = false;
    if (chain.at < turn) {
      if (result instanceof Promise) native.belongs(chain.socket, result);
      return; // it will, and an asynchronous one that throws is seen as a rejection that nothing handles
    }
    if (chain.state !== open) return;
  }
  if (chain === deciding && chain.timer === undefined) {
    chain.state = admitted;
    if (chain.socket._events !== undefined) keep(chain);
  } else if (chain === deciding || native.settle(chain.socket, undefined, chain.socket._events !== undefined)) {
    settled(chain, admitted);
  }
}

// Goes on with the next middleware, on behalf of the client whose chain it is.
function goOn(chain) {
  if (chain.at === middlewares.length) {
    advance(chain);
    return;
  }
  const before = native.work(chain.socket);
  if (before === false) return; // it has its answer
  try {
    advance(chain);
  } catch (error) {
    native.uncaught(error);
  } finally {
    native.rest(before);
  }
}

function settled(chain, state) {
  chain.state = state;
  if (chain.timer !== undefined) clearTimeout(chain.timer);
  if (chain.socket._events !== undefined) keep(chain);
}

// Keeps a client out, and reports whether it waited.
function keepOut(chain, text, listened) {
  if (chain.state !== open) return false;
  if (chain === deciding && !listened && balancer._events === undefined) {
    chain.reason = text; // decide returns it, which costs less
  } else if (!native.settle(chain.socket, text, listened)) {
    return false;
  }
  settled(chain, keptOut);
  return true;
}

function block(chain, why) {
  if (typeof why === 'string' && chain === deciding && chain.state === open && chain.timer === undefined &&
    chain.socket._events === undefined && balancer._events === undefined) {
    chain.reason = why.length > 1000 ? reason(why) : why;
    chain.state = keptOut;
    return;
  }
  if (keepOut(chain, reason(why), chain.socket._events !== undefined) && balancer.listenerCount('notice') > 0) {
    try {
      balancer.emit('notice', why);
    } catch (error) {
      native.uncaught(error);
    }
  }
}

// Called when the connection of a client is over.
function closed(socket) {
  const chain = socket[kChain] || { state: gone };
  const { state } = chain;
  chain.state = gone;
  if (chain.timer !== undefined) clearTimeout(chain.timer);
  socket._closed(state === keptOut);
}

// What destroy and end of a socket do to the connection. Without a chain the client was let in.
Socket.hangUp = (socket, method, error) => {
  const chain = chainOf(socket);
  if (chain && chain.state !== admitted) {
    keepOut(chain, 'the script called socket.' + method + '()' + (error ? ': ' + reason(error) : ''), true);
    keep(chain);
  } else if (native.kick(socket) === false) {
    throw new Error('socket.' + method + ': the connection was let in already and is not the script\'s any more');
  }
};
Socket.setTimer = (socket, start) => {
  const chain = chainOf(socket);
  if (!chain || chain.state !== open) return;
  clearTimeout(chain.timer);
  chain.timer = start && start();
};
Socket.failed = (error) => { if (balancer.listenerCount('error') > 0) balancer.emit('error', error); };
Socket.isOpen = (socket) => {
  const chain = chainOf(socket);
  return chain !== undefined && chain.state === open;
};
native.prototype(Socket.prototype);

module.exports = { balancer, decide, closed, reason };
