// The clients that wait, or were let in while the script listens to their sockets, by their numbers. A socket knows its
// client for as long as the script has the socket.
const clients = new Map();
let local;

function ClientSocket(client) {
  this[owner] = client;
}

// What the modules that both runtimes have in common call about clients, given by their sockets.
const native = {
  prototype(given) { ClientSocket.prototype = Object.setPrototypeOf(given, net.Socket.prototype); },
  ends(socket) {
    const { port, local: end } = socket[owner];
    return { remotePort: port, localAddress: end.address, localPort: end.port };
  },
  settle(socket, reason, listened) {
    const client = socket[owner];
    const waited = settle(client);
    if (waited && reason === undefined) {
      letIn(client, listened);
    } else if (waited) {
      send(BLOCK, client.id, reason);
      if (listened) {
        unowned(hangUp, client);
      }
    }
    return waited;
  },
  // work has what runs next be for a client, if that waits. It returns for whom it was before, for rest.
  work(socket) {
    const before = current;
    if (socket[owner].over) {
      return false;
    }
    setCurrent(socket[owner]);
    return before;
  },
  rest: (before) => setCurrent(before),
  belongs() {}, // what a promise leads to is the client's for whom it was begun
  listens(socket) {
    const client = socket[owner];
    if (client.admitted) {
      follow(client);
    } else if (client.over) {
      unowned(hangUp, client);
    }
  },
  kick(socket) {
    const client = socket[owner];
    if (!client.kickable) {
      return false;
    }
    send(KICK, client.id);
    unowned(hangUp, client);
    return true;
  },
  askTarget: ask,
  uncaught: (error) => uncaught(error),
};

// A module that both runtimes have in common, or one of Node's.
const shared = {};
const need = ((require) => (name) => shared[name] ?? require(name))(require); // scripts do not have that as a global

// decideAbout asks the middlewares about a client. What the numbers mean is told in balancer.js.
function decideAbout(client) {
  const socket = client.socket = new ClientSocket(client);
  clients.set(client.id, client);
  let answer;
  try {
    answer = shared['internal/balancer'].decide(socket, client.address);
  } catch (error) {
    uncaught(error);
    return;
  }
  if (typeof answer === 'string') {
    native.settle(socket, answer, false);
  } else if ((answer === 0 || answer === 2) && settle(client)) {
    letIn(client, answer === 2);
  }
}

// settle notes that a client has its answer, and reports whether it had none.
function settle(client) {
  const waited = !client.over;
  client.over = true;
  clients.delete(client.id);
  return waited;
}

function letIn(client, listened) {
  client.admitted = true;
  send(ALLOW, client.id);
  if (listened) {
    follow(client);
  }
}

// follow has Caddy tell when a client leaves that was let in.
function follow(client) {
  if (client.followed) {
    send(FOLLOW, client.id);
    clients.set(client.id, client);
  }
}

// hangUp tells the script that a client's connection is over.
function hangUp(client) {
  settle(client);
  shared['internal/balancer'].closed(client.socket);
}

// uncaught deals with what the script throws and does not catch: it keeps out the client for whom that was done.
function uncaught(error, client = current) {
  const waited = client !== undefined && settle(client);
  send(FAILED, waited ? client.id : 0, describe(error), stackOf(error).slice(0, MOST_STACK));
  if (waited) {
    unowned(hangUp, client);
  }
  if (emitting || balancer.listenerCount('error') === 0) {
    return;
  }
  emitting = true; // a listener that throws is not told of it
  try {
    balancer.emit('error', error);
  } catch (failure) {
    uncaught(failure);
  } finally {
    emitting = false;
  }
}

let emitting = false;

function stackOf(error) {
  try {
    return error instanceof Error ? String(error.stack) : '';
  } catch {
    return '';
  }
}

// describe makes an error one line that names the place.
function describe(error) {
  const stack = stackOf(error);
  const place = /^(\/.*|[A-Z]:\\.*|file:.*):(\d+)\n/.exec(stack) ?? // of a syntax error
    /^ +at (?:.* \()?((?:\/|[A-Z]:\\|file:).*):(\d+):(\d+)\)?$/m.exec(stack);
  let name = '';
  try {
    name = error instanceof Error && error.name !== 'Error' ? error.name + ': ' : '';
  } catch { /* it has none that can be had */ }
  const [, file, ...numbers] = place ?? [];
  return (place ? [file.replace(/^file:\/\//, ''), ...numbers].join(':') + ': ' : '') + name + shared['internal/balancer'].reason(error);
}
